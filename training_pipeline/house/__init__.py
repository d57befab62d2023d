"""The parts of the house model: tokenizer, packing, training, GGUF, and a way to ask llama.cpp."""
