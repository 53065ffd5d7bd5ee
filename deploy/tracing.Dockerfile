# syntax=docker/dockerfile:1
# The official images of both hold a program and nothing else; a health check needs one that asks it.

FROM otel/opentelemetry-collector-contrib:0.157.0 AS collector-release
FROM jaegertracing/jaeger:2.19.0 AS jaeger-release

FROM alpine:3.22 AS collector
COPY --from=collector-release /otelcol-contrib /otelcol-contrib
USER 10001:10001
ENTRYPOINT ["/otelcol-contrib"]
CMD ["--config", "/etc/otelcol/config.yaml"]

FROM alpine:3.22 AS jaeger
COPY --from=jaeger-release /cmd/jaeger/jaeger-linux /jaeger
ENV JAEGER_LISTEN_HOST=0.0.0.0
USER 10001:10001
ENTRYPOINT ["/jaeger"]
