# Two stages: the first has what is needed to install, the second only what is needed to run.
# It was built and run; see docs/operations.md.

FROM debian:12-slim AS build
RUN apt-get update -qq \
 && apt-get install -qq --no-install-recommends python3 python3-venv ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/dicomweb-server
COPY requirements-server.lock /build/
RUN /opt/dicomweb-server/bin/pip install --quiet --no-cache-dir --require-hashes -r /build/requirements-server.lock
COPY dicomweb_server /opt/dicomweb-server/app/dicomweb_server
RUN /opt/dicomweb-server/bin/python -m compileall -q /opt/dicomweb-server/app \
 && printf '#!/bin/sh\nexec python -m dicomweb_server "$@"\n' > /opt/dicomweb-server/bin/dicomweb-server \
 && chmod 755 /opt/dicomweb-server/bin/dicomweb-server \
 && rm -rf /opt/dicomweb-server/lib/python3*/site-packages/pip*

FROM debian:12-slim
RUN apt-get update -qq \
 && apt-get install -qq --no-install-recommends python3 fonts-dejavu-core >/dev/null \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 942 --user-group --home-dir /data --shell /usr/sbin/nologin dicomweb \
 && install -d -o dicomweb -g dicomweb -m 0700 /data
COPY --from=build /opt/dicomweb-server /opt/dicomweb-server
COPY LICENSE /usr/share/doc/dicomweb-server/LICENSE
ENV PATH=/opt/dicomweb-server/bin:$PATH \
    PYTHONPATH=/opt/dicomweb-server/app \
    PYTHONDONTWRITEBYTECODE=1 \
    DICOMWEB_SERVER_DATA=/data \
    DICOMWEB_SERVER_HOST=0.0.0.0
USER 942
VOLUME /data
EXPOSE 8042 4242
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["dicomweb-server", "health"]
ENTRYPOINT ["dicomweb-server"]
CMD ["serve"]
