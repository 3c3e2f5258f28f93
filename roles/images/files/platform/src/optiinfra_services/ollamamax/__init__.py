"""OllamaMax: a small reference gateway with OpenAI's API and a WebSocket, before Ollama's. One program, three roles."""
