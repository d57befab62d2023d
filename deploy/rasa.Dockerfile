# Rasa with its channels, gates and the trained model. Build context: the repository root.
FROM python:3.10-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY rasa_project/requirements.txt rasa_project/requirements.txt
# The lock is complete, so nothing is resolved; every file is checked against its hash.
RUN uv venv --quiet --python /usr/local/bin/python3.10 rasa_project/.venv \
    && uv pip install --quiet --python rasa_project/.venv/bin/python --no-deps --require-hashes \
       --compile-bytecode --requirement rasa_project/requirements.txt
COPY ops ops
COPY data data
COPY rasa_project rasa_project
# The same training as `make train`; its log is shown if it fails.
RUN STILLPOINT_VAR=/build python -c "from ops.train import train; train()" \
    || { cat /build/log/train.log; exit 1; }

FROM python:3.10-slim
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin stillpoint \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/stillpoint
WORKDIR /app/rasa_project
COPY --from=build /app/rasa_project/.venv .venv
COPY rasa_project/config.yml rasa_project/credentials.production.yml ./
COPY rasa_project/channels channels
COPY rasa_project/components components
COPY rasa_project/policies policies
COPY rasa_project/domain domain
COPY rasa_project/web web
COPY data/helplines.yml /app/data/helplines.yml
COPY data/safety/lexicon.yml data/safety/misuse.yml /app/data/safety/
COPY deploy/endpoints.yml endpoints.yml
COPY --from=build /build/models/stillpoint.tar.gz /app/models/stillpoint.tar.gz
ENV HOME=/tmp MPLCONFIGDIR=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app/rasa_project \
    RASA_TELEMETRY_ENABLED=false SANIC_WORKERS=1 SQLALCHEMY_SILENCE_UBER_WARNING=1 \
    SQLALCHEMY_WARN_20=0 STILLPOINT_VAR=/var/lib/stillpoint TF_CPP_MIN_LOG_LEVEL=3
USER 10001:10001
EXPOSE 5005
# No --enable-api: Rasa's HTTP API stays off, and the channels are those of the credentials file.
CMD [".venv/bin/python", "-m", "rasa", "run", "--interface", "0.0.0.0", "--port", "5005", \
     "--model", "/app/models/stillpoint.tar.gz", "--endpoints", "endpoints.yml", \
     "--credentials", "credentials.production.yml"]
