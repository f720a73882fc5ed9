"""Distillation: a teacher behind an OpenAI-compatible endpoint writes rows for one toolset."""
