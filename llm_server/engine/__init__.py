"""Engines: what writes the completions. All implement :class:`llm_server.engine.base.Engine`.

========================  =========================================================
``local.LocalEngine``      a child process (``python -m llm_server.engine``) that runs
                           ``xllamacpp`` or ``llama-cpp-python``
``hosted.HostedEngine``    any OpenAI-compatible API at ``LLM_BASE_URL``
``fake.FakeEngine``        for tests: deterministic, as slow as asked
========================  =========================================================
"""
