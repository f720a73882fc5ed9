"""The training verbs of the `pointsman` command (entry point group `pointsman.commands`).

Only light modules are imported here; a verb that needs torch imports it when it runs, so that the
command line of a gateway without the `train` extra still lists the verbs.
"""

import typer

from training.commands import dataset, evaluate, publish, train


def mount(app: typer.Typer) -> None:
    """Register the verbs on the `pointsman` command."""
    for verb in (dataset, train, evaluate, publish):
        verb.mount(app)
