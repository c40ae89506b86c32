"""Live systems of the failover tests: each with its own lab, data and net, and nothing of it left afterwards."""

import os

import pytest
from live_sereno import Hook, Live

from deploy.lab import LabError
from deploy.lab.machine import kamailio_program


@pytest.fixture(scope="session", autouse=True)
def _kamailio():
    try:
        kamailio_program()
    except LabError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
def make():
    """Makes a system with these settings, not yet started; all of them end with the test."""
    made = []

    def new(**settings):
        made.append(Live(**settings))
        return made[-1]

    yield new
    for live in made:
        live.close()


@pytest.fixture
def start(make):
    """The same, up and everything said to be up."""
    return lambda **settings: make(**settings).start()


@pytest.fixture
def tell(capsys):
    """Prints a figure for who reads the log of a run that passes."""

    def say(line):
        with capsys.disabled():
            print(f"\n    {line}", end="")

    return say


@pytest.fixture
def hook():
    found = Hook()
    yield found
    found.close()
