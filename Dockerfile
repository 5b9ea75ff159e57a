# One image for every part of ours: the compose file says what each container runs.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONPATH=/app

WORKDIR /app
COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

# A volume mounted at one of these takes over its owner, so that the parts can write there as a plain user.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mailstorm \
    && install -d -o mailstorm -g mailstorm reports/runs greetings

COPY system system
COPY fake_smtp fake_smtp
COPY loadtests loadtests
COPY reports reports
COPY chaos chaos

USER mailstorm
