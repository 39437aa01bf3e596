"""The splitter `llm`: an LM marks where steps begin. Above `knowledge`, whose way of asking LMs it shares."""
