"""An OpenAI-compatible chat server in front of a replaceable llama.cpp engine.

Start it with ``python -m llm_server``; see ``README.md`` beside this file.
Importing the package starts nothing.
"""
