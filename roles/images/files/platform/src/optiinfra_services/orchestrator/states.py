"""Whether each service is up, as Prometheus sees it: by its own scrape, or by its exporter's word."""

import httpx

from ..contract import ServiceState

# Exporters that speak for a store.
STORES = {"pg_up": "postgres", "redis_up": "redis", "clickhouse_exporter_up": "clickhouse"}
QUERY = f'{{__name__=~"up|{"|".join(STORES)}", job!="customer"}}'


async def read(prometheus: str) -> list[ServiceState]:
    """Return the services by name.

    :raises httpx.HTTPError: when Prometheus is away; KeyError, ValueError: when its answer is none
    """
    async with httpx.AsyncClient(timeout=3) as http:
        answer = await http.get(f"{prometheus}/api/v1/query", params={"query": QUERY})
    answer.raise_for_status()
    found = {}
    for one in answer.json()["data"]["result"]:
        labels = one["metric"]
        name = STORES.get(labels.get("__name__", ""), labels.get("job", ""))
        found[name] = "up" if float(one["value"][1]) == 1 else "down"
    return [ServiceState(service=name, state=found[name]) for name in sorted(found)]
