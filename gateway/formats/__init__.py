"""Answer formats: how a toolset is shown to a base model, and how it writes its calls."""
