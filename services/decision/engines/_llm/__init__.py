"""Parts of the engine `llm`: the server's protocol, the model's life, the prompt, the answer."""
