"""The vocabulary: frozen, validated, dated facts, named as traders name them. pydantic and the standard library only."""
