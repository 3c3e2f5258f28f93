# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What well-known images listen on, and which of them are stores. By the last part of an image's name.

Sources: the EXPOSE lines and documentation of the images. ``settled`` tells that these are all ports that it has unless
its command or environment names another; what a configuration file decides (nginx, Envoy, Kafka) is not settled.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Image(NamedTuple):
    """A well-known image."""

    ports: tuple
    store: bool = False
    settled: bool = True


_TABLE = """
postgres postgresql postgis timescaledb timescaledb-ha pgvector postgres-alpine alloydb-omni: 5432 (store settled)
mysql mysql-server percona percona-server mariadb: 3306 33060 33062 (store settled)
mongo mongodb mongodb-community-server percona-server-mongodb: 27017 (store settled)
redis valkey keydb dragonfly: 6379 (store settled)
redis-sentinel: 26379 (store settled)
redis-stack redis-stack-server: 6379 8001 (store settled)
memcached: 11211 (store settled)
elasticsearch opensearch: 9200 9300 9600 9650 (store settled)
clickhouse clickhouse-server: 8123 9000 9009 (store settled)
cassandra scylla: 7000 7001 7199 9042 9160 9180 10000 19042 (store settled)
couchdb: 4369 5984 9100 (store settled)
neo4j: 7473 7474 7687 (store settled)
influxdb: 8086 8088 (store settled)
etcd: 2379 2380 (store settled)
zookeeper: 2181 2888 3888 8080 (store settled)
qdrant: 6333 6334 6335 (store settled)
weaviate: 8080 50051 (store settled)
milvus: 9091 19530 (store settled)
solr: 8983 9983 (store settled)
arangodb: 8529 (store settled)
rethinkdb: 8080 28015 29015 (store settled)
cockroach: 8080 26257 (store settled)
azure-sql-edge: 1401 1433 (store settled)
meilisearch: 7700 (store settled)
typesense: 8107 8108 (store settled)
surrealdb: 8000 (store settled)
questdb: 8812 9000 9003 9009 (store settled)
tarantool: 3301 (store settled)
kafka cp-kafka: 9092 9093 9094 (store)
redpanda: 8081 8082 9092 9644 33145 (store)
vault: 8200 8201 (store)
consul: 8300 8301 8302 8500 8502 8600 (store)
mssql server: 1433 (store)
oracle-xe oracle-free: 1521 5500 (store)
minio: 9000 9001 (settled)
openldap: 389 636 1389 1636 (settled)
rabbitmq: 1883 4369 5552 5671 5672 8883 15671 15672 15674 15675 15691 15692 25672 61613 61614 (settled)
grafana grafana-oss grafana-enterprise: 3000 (settled)
prometheus: 9090 (settled)
alertmanager: 9093 9094 (settled)
node-exporter: 9100 (settled)
cadvisor: 8080 (settled)
blackbox-exporter: 9115 (settled)
pushgateway: 9091 (settled)
postgres-exporter: 9187 (settled)
redis_exporter redis-exporter: 9121 (settled)
mysqld-exporter: 9104 (settled)
mongodb_exporter mongodb-exporter: 9216 (settled)
nginx-prometheus-exporter: 9113 (settled)
elasticsearch-exporter elasticsearch_exporter: 9114 (settled)
kafka-exporter: 9308 (settled)
statsd-exporter: 9102 9125 (settled)
dcgm-exporter: 9400 (settled)
kibana: 5601 (settled)
adminer: 8080 (settled)
phpmyadmin: 80 (settled)
mongo-express: 8081 (settled)
mailhog: 1025 8025 (settled)
mailpit: 1025 1110 8025 (settled)
flower: 5555 (settled)
ollama: 11434 (settled)
locust: 8089 (settled)
zipkin: 9410 9411 (settled)
metabase: 3000 (settled)
ghost: 2368 (settled)
n8n: 5678 (settled)
wordpress drupal joomla: 80 9000 (settled)
whoami: 80 (settled)
nginx nginx-unprivileged openresty: 80 443 8080
httpd: 80 443
caddy: 80 443 2019
traefik: 80 443 8080
jaeger all-in-one jaeger-all-in-one: 4317 4318 5775 5778 6831 6832 9411 14250 14268 14269 16685 16686
loki: 3100 7946 9095 9096
promtail: 9080
tempo: 3200 4317 4318 7946 9095 9411 14268
opentelemetry-collector opentelemetry-collector-contrib: 1777 4317 4318 8888 8889 9411 13133 14250 14268 55678 55679
logstash: 5044 9600
nats: 4222 6222 8222
keycloak: 8080 8443 9000
gitea forgejo: 22 2222 3000
registry: 5000 5001
nextcloud: 80 443 9000
localstack localstack-pro: 443 4510 4566 4571
docker: 2375 2376
vllm-openai: 8000
schema-registry cp-schema-registry: 8081
kafka-ui: 8080
php: 80 9000
sonarqube: 9000
portainer portainer-ce: 8000 9000 9443
pgadmin4: 80 443
pgbouncer: 5432 6432
"""


def _read(table):
    """Return {name: Image} of lines such as ``mysql mariadb: 3306 33060 (store settled)``."""
    found = {}
    for line in table.strip().split("\n"):
        names, _colon, rest = line.partition(":")
        ports, _bracket, what = rest.partition("(")
        image = Image(tuple(int(port) for port in ports.split()), "store" in what, "settled" in what)
        found.update(dict.fromkeys(names.split(), image))
    return found


IMAGES = _read(_TABLE)
# Ports that hardly anything but the store of this kind has, for images that are not known.
STORE_PORTS = {
    1433: "SQL Server",
    1521: "Oracle",
    3306: "MySQL",
    5432: "PostgreSQL",
    6379: "Redis",
    9042: "Cassandra",
    11211: "Memcached",
    27017: "MongoDB",
}
# The stores that a URL's scheme asks for, by the ports that they have.
STORE_SCHEMES = {
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mysql2": 3306,
    "mariadb": 3306,
    "mongodb": 27017,
    "redis": 6379,
    "rediss": 6379,
    "amqp": 5672,
}
_NAME = re.compile(r"([A-Za-z0-9_.-]+)(?::[\w.-]*)?(?:@[\w:]+)?$")


def known(reference):
    """Return the Image of an image reference such as ``docker.io/library/postgres:16``, None when it is not known."""
    match = _NAME.search(reference)
    name = match.group(1).lower() if match else ""
    if name == "server" and "mssql" not in reference:
        return None
    return IMAGES.get(name)
