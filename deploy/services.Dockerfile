# The Python 3.11 services, one build target each: actions, llm, analytics, handoff. Each installs
# only its own lock file; handoff uses analytics'. Build context: the repository root.
FROM python:3.11-slim AS environment
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_NO_CACHE=1
ARG GROUP
COPY requirements/${GROUP}.txt /requirements.txt
# The lock is complete, so nothing is resolved; every file is checked against its hash.
RUN uv venv --quiet --python /usr/local/bin/python3.11 /opt/venv \
    && uv pip install --quiet --python /opt/venv/bin/python --no-deps --require-hashes \
       --compile-bytecode --requirement /requirements.txt

FROM python:3.11-slim AS base
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin stillpoint \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/stillpoint
COPY --from=environment /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 \
    STILLPOINT_VAR=/var/lib/stillpoint
WORKDIR /app
USER 10001:10001

FROM base AS actions
COPY data/helplines.yml data/partners.yml data/
COPY data/replies data/replies
COPY actions actions
ENV ACTIONS_HOST=0.0.0.0
EXPOSE 5055
CMD ["python", "-m", "actions"]

FROM base AS llm
COPY data/helplines.yml data/
COPY llm_server llm_server
ENV LLM_HOST=0.0.0.0
EXPOSE 8080
CMD ["python", "-m", "llm_server"]

FROM base AS analytics
COPY analytics analytics
CMD ["python", "-m", "analytics", "ingest"]

FROM base AS handoff
COPY handoff handoff
CMD ["python", "-m", "handoff", "run"]
