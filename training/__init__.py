"""From a toolset to a data set, an adapter and an honest report. `gateway` never imports this."""
