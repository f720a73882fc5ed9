"""The training verbs of the `pointsman` command, one file a verb or group of verbs."""
