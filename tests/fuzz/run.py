"""`make fuzz`: every target for a while, each in a process of its own, from its corpus.

    python tests/fuzz/run.py [--seconds 60] [target …]

New inputs that reach new code are kept in a temporary folder; an input that breaks a target is
written beside the corpus, where the unit tests replay it from then on.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"


def fuzz(name: str, arguments: list[str]) -> None:
    """Run one target in this process until the time is over; never returns."""
    import atheris

    with atheris.instrument_imports(include=["qingniao", "targets"]):
        from targets import TARGETS

    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Run the targets in turn; the exit code counts the broken ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    options, rest = parser.parse_known_args()
    if options.one:
        fuzz(options.one, rest + options.targets)
    from targets import TARGETS

    broken = 0
    for name in options.targets or TARGETS:
        corpus = CORPUS / name
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory() as found:
            done = subprocess.run(
                [
                    sys.executable, __file__, "--one", name, f"-max_total_time={options.seconds}",
                    f"-artifact_prefix={corpus}/broke-", "-max_len=4096", "-print_final_stats=1",
                    found, str(corpus),
                ],
                check=False,
            )  # fmt: skip
        broken += done.returncode != 0
    return broken


if __name__ == "__main__":
    sys.exit(main())
