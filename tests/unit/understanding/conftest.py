"""The sample's intent model, trained once."""

import pytest

from qingniao import samples
from qingniao.knowledge.importing import read_knowledge
from qingniao.training import Corpus, examples_of
from qingniao.understanding.intent import Example, IntentModel, train


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    entries = read_knowledge(samples.knowledge_file()).entries
    return examples_of(Corpus(entries=entries, intents=samples.intents()))


@pytest.fixture(scope="session")
def model(examples: list[Example]) -> IntentModel:
    return train(examples)
