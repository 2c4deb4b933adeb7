"""A bot in ten lines, in process. `python examples/bot_in_process.py` runs the contract on it."""

import asyncio

from qingniao.bots.base import Done, Grounded, Query, TextDelta
from qingniao.bots.simple import SimpleBot
from qingniao.testing.bots import Made, run


class ParrotBot(SimpleBot):
    """Says what it hears."""

    name = "parrot"

    async def reply(self, query: Query):
        yield Grounded()
        said = f"You said: {query.text}"
        for word in said.splitlines(keepends=True) or [said]:
            yield TextDelta(text=word)
        yield Done(text=said)


if __name__ == "__main__":
    for check, wrong in asyncio.run(run(Made(bot=ParrotBot(), easy="hello\nthere"))).items():
        print(f"{check.replace('_', ' ')}: {wrong or 'ok'}")
