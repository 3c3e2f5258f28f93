"""Small Compose projects, each for one thing that the loader has to read as Compose does.

name -> {file: text}, with the keys ``_profiles`` and ``_files`` where they are not the defaults.
"""

WEB = "services:\n  web:\n    image: a\n"


def ports(*entries):
    return WEB + "    ports:\n" + "".join(f"      - {entry}\n" for entry in entries)


GOOD = {
    "short": {"compose.yaml": ports('"8080:80"')},
    "short-number": {"compose.yaml": ports("3000")},
    "short-address": {"compose.yaml": ports('"127.0.0.1:6379:6379"')},
    "short-address-only-target": {"compose.yaml": ports('"127.0.0.1::6379"')},
    "short-ipv6": {"compose.yaml": ports('"[::1]:8080:80"')},
    "short-udp": {"compose.yaml": ports('"5353:53/udp"', '"5353:53/tcp"')},
    "short-range": {"compose.yaml": ports('"8000-8002:9000-9002"')},
    "short-range-one-target": {"compose.yaml": ports('"8000-8010:80"')},
    "short-range-targets-only": {"compose.yaml": ports('"9000-9002"')},
    "sexagesimal": {"compose.yaml": ports("22:22", "3000:3000")},
    "long": {"compose.yaml": ports('{target: 80, published: "8080", protocol: tcp, mode: host}')},
    "long-number": {"compose.yaml": ports("{target: 80, published: 8080}")},
    "long-range": {"compose.yaml": ports('{target: 80, published: "8080-8090"}')},
    "long-address": {"compose.yaml": ports('{target: 80, published: "8080", host_ip: 127.0.0.1}')},
    "long-name": {"compose.yaml": ports('{name: web, target: 80, published: "8080", app_protocol: http}')},
    "long-unpublished": {"compose.yaml": ports("{target: 80}")},
    "defaults": {"compose.yaml": ports('"${PORT:-8080}:80"', '"${OTHER-9090}:90"')},
    "env-file": {"compose.yaml": ports('"${PORT}:80"'), ".env": "PORT=8081\n"},
    "env-quotes": {"compose.yaml": ports('"${A}:80"', '"${B}:81"'), ".env": "A='8081' # a\nexport B=\"8082\"\n# C=1\n"},
    "env-alternative": {"compose.yaml": ports('"${ADDRESS:+127.0.0.1:}8080:80"'), ".env": "ADDRESS=1\n"},
    "nested-default": {"compose.yaml": ports('"${A:-${B:-8083}}:80"')},
    "anchors": {
        "compose.yaml": "x-a: &a {image: a, ports: ['1000:80']}\nservices:\n  one: *a\n"
        "  two: {<<: *a, ports: ['1001:80']}\n"
    },
    "merge-list": {
        "compose.yaml": "x-a: &a {image: a}\nx-b: &b {ports: ['8080:80']}\nservices:\n"
        "  web: {<<: [*a, *b], restart: always}\n"
    },
    "override-adds": {"compose.yaml": ports('"8080:80"'), "compose.override.yaml": ports('"8081:81"')},
    "override-same": {"compose.yaml": ports('"8080:80"'), "compose.override.yaml": ports('"8080:80"')},
    "override-other-published": {"compose.yaml": ports('"8080:80"'), "compose.override.yaml": ports('"9090:80"')},
    "override-long-same": {
        "compose.yaml": ports('"8080:80"'),
        "compose.override.yaml": ports('{target: 80, published: "8080"}'),
    },
    "override-service": {
        "compose.yaml": ports('"8080:80"'),
        "compose.override.yaml": "services:\n  db: {image: b, ports: ['5432:5432']}\n",
    },
    "override-tag": {
        "compose.yaml": ports('"8080:80"', '"8081:81"'),
        "compose.override.yaml": "services:\n  web:\n    ports: !override\n      - '9090:80'\n",
    },
    "reset-tag": {
        "compose.yaml": ports('"8080:80"'),
        "compose.override.yaml": "services:\n  web:\n    ports: !reset []\n",
    },
    "docker-compose-yml": {"docker-compose.yml": ports('"8080:80"'), "docker-compose.override.yml": ports('"8081:81"')},
    "three-files": {
        "a.yaml": ports('"8080:80"'),
        "b.yaml": ports('"8081:81"'),
        "c.yaml": "services:\n  web:\n    ports: !override ['8082:82']\n",
        "_files": ["a.yaml", "b.yaml", "c.yaml"],
    },
    "extends-same-file": {
        "compose.yaml": "services:\n  base: {image: a, ports: ['8080:80']}\n"
        "  web:\n    extends: base\n    ports: ['8081:81']\n"
    },
    "extends-file": {
        "compose.yaml": "services:\n  web:\n    extends: {service: base, file: common/base.yaml}\n",
        "common/base.yaml": "services:\n  base: {image: a, ports: ['8080:80']}\n",
    },
    "extends-chain": {
        "compose.yaml": "services:\n  web:\n    extends: {service: middle, file: one.yaml}\n    ports: ['8083:83']\n",
        "one.yaml": "services:\n  middle:\n    extends: {service: base, file: two.yaml}\n    ports: ['8082:82']\n",
        "two.yaml": "services:\n  base: {image: a, ports: ['8081:81']}\n",
    },
    "extends-and-override": {
        "compose.yaml": "services:\n  base: {image: a, ports: ['8080:80']}\n  web: {extends: {service: base}}\n",
        "compose.override.yaml": "services:\n  web: {ports: ['8085:85']}\n",
    },
    "include": {
        "compose.yaml": "include: [db/compose.yaml]\n" + ports('"8080:80"'),
        "db/compose.yaml": "services:\n  db: {image: b, ports: ['5432:5432']}\n",
    },
    "include-env": {
        "compose.yaml": "include:\n  - path: db/compose.yaml\n" + ports('"${PORT:-1}:80"'),
        "db/compose.yaml": "services:\n  db: {image: b, ports: ['${PORT}:5432']}\n",
        "db/.env": "PORT=5433\n",
    },
    "include-env-local-wins": {
        "compose.yaml": "include: [db/compose.yaml]\n" + ports('"8080:80"'),
        ".env": "PORT=5434\n",
        "db/compose.yaml": "services:\n  db: {image: b, ports: ['${PORT}:5432']}\n",
        "db/.env": "PORT=5433\n",
    },
    "include-several-files": {
        "compose.yaml": "include:\n  - path: [db/a.yaml, db/b.yaml]\n" + ports('"8080:80"'),
        "db/a.yaml": "services:\n  db: {image: b, ports: ['5432:5432']}\n",
        "db/b.yaml": "services:\n  db: {ports: ['5433:5433']}\n",
    },
    "profiles-none": {
        "compose.yaml": ports('"8080:80"') + "  debug: {image: b, profiles: [debug], ports: ['9229:9229']}\n"
    },
    "profiles-one": {
        "compose.yaml": ports('"8080:80"') + "  debug: {image: b, profiles: [debug, dev], ports: ['9229:9229']}\n",
        "_profiles": ["dev"],
    },
    "profiles-all": {
        "compose.yaml": ports('"8080:80"') + "  debug: {image: b, profiles: [debug], ports: ['9229:9229']}\n",
        "_profiles": ["*"],
    },
    "expose": {"compose.yaml": WEB + "    expose: ['80', 90]\n"},
    "environment-forms": {
        "compose.yaml": WEB + "    environment: [A=1]\n    ports: ['8080:80']\n",
        "compose.override.yaml": WEB + "    environment: {B: 2}\n    depends_on: [db]\n  db: {image: b}\n",
    },
    "escaped-dollar": {"compose.yaml": ports('"8080:80"') + "    command: echo $$HOME\n"},
    "name": {"compose.yaml": "name: shop\n" + ports('"8080:80"')},
    "documents": {"compose.yaml": ports('"8080:80"') + "---\n" + ports('"8081:81"')},
    "twice": {"compose.yaml": ports('"8080:80"', '"${PORT:-8080}:80"', "{target: 80, published: 8080}")},
    "twice-every-address": {"compose.yaml": ports('"8080:80"', '"0.0.0.0:8080:80"')},
    "override-by-variable": {
        "compose.yaml": ports('"8080:80"'),
        "compose.override.yaml": ports('"${PORT}:80"'),
        ".env": "PORT=8080\n",
    },
    "published-empty": {"compose.yaml": ports('{target: 3000, published: "${PORT:+8080}"}')},
    "range-of-one": {"compose.yaml": ports('"8080-8080:80"')},
    "sctp-and-capitals": {"compose.yaml": ports('"8080:80/SCTP"', '"8080:80/UDP"')},
    "ipv6-long": {"compose.yaml": ports('{target: 80, published: "8080", host_ip: "[::1]"}')},
    "ipv6-everywhere": {"compose.yaml": ports('"[::]:8080:80"', '"0.0.0.0:8080:80"')},
    "env-reference": {"compose.yaml": ports('"${PORT}:80"'), ".env": "BASE=80\nPORT=${BASE}81\n"},
    "env-compose-file": {
        "a.yaml": ports('"8080:80"'),
        "b/c.yaml": ports('"8081:81"'),
        ".env": "COMPOSE_FILE=a.yaml:b/c.yaml\n",
    },
    "env-compose-profiles": {
        "compose.yaml": ports('"8080:80"') + "  debug: {image: b, profiles: [debug], ports: ['9229:9229']}\n",
        ".env": "COMPOSE_PROFILES=dev,debug\n",
    },
    "env-compose-project-name": {
        "compose.yaml": "name: other\n" + ports('"8080:80"'),
        ".env": "COMPOSE_PROJECT_NAME=mine\n",
    },
    "host-network": {"compose.yaml": WEB + "    network_mode: host\n    ports: ['8080:80', '53:53/udp']\n"},
    "host-network-by-variable": {"compose.yaml": WEB + "    network_mode: ${MODE:-host}\n    ports: ['8080:80']\n"},
    "service-network": {
        "compose.yaml": ports('"8080:80"') + "  proxy: {image: b, network_mode: 'service:web', expose: [90]}\n"
    },
    "container-network": {"compose.yaml": WEB + "    network_mode: container:other\n"},
    "extends-twice": {
        "compose.yaml": "services:\n  base: {image: a, ports: ['8080:80']}\n  one: {extends: base}\n"
        "  two: {extends: {service: base}, ports: ['8081:80']}\n"
    },
    "extends-a-reset-service": {
        "compose.yaml": "services:\n  base: {image: a, ports: ['8080:80']}\n  web: {image: a, ports: ['8081:81']}\n",
        "compose.override.yaml": "services:\n  base: {ports: !reset []}\n  web: {extends: base}\n",
    },
    "reset-and-extends": {
        "compose.yaml": ports('"8080:80"') + "  base: {image: b, ports: ['8081:81']}\n",
        "compose.override.yaml": "services:\n  web: {extends: base, ports: !reset []}\n  base: {image: b}\n",
    },
    "override-tag-and-extends": {
        "compose.yaml": ports('"8080:80"'),
        "compose.override.yaml": "services:\n  web: {extends: base, ports: !override ['8082:82']}\n"
        "  base: {image: b, ports: ['8081:81']}\n",
    },
    "include-and-override": {
        "compose.yaml": "include: [db/compose.yaml]\n" + ports('"8080:80"'),
        "compose.override.yaml": "services:\n  db: {ports: ['5433:5432']}\n",
        "db/compose.yaml": "services:\n  db: {image: b, ports: ['5432:5432']}\n",
    },
    "include-with-env-file": {
        "compose.yaml": "include:\n  - {path: db/compose.yaml, env_file: db/other.env}\n" + ports('"8080:80"'),
        "db/compose.yaml": "services:\n  db: {image: b, ports: ['${PORT}:5432']}\n",
        "db/.env": "PORT=5433\n",
        "db/other.env": "PORT=5434\n",
    },
    "include-in-include": {
        "compose.yaml": "include: [db/compose.yaml]\n" + ports('"8080:80"'),
        "db/compose.yaml": "include: [../cache/compose.yaml]\nservices:\n  db: {image: b, ports: ['5432:5432']}\n",
        "cache/compose.yaml": "services:\n  cache: {image: c, ports: ['6379:6379']}\n",
    },
    "name-of-later-file": {
        "compose.yaml": "name: shop\n" + ports('"8080:80"'),
        "compose.override.yaml": "name: other\nservices: {}\n",
    },
}

# What Compose refuses, and what our message has to name.
BAD = {
    "no-services-mapping": ({"compose.yaml": "services: [web]\n"}, "services"),
    "not-yaml": ({"compose.yaml": "services:\n  web: [\n"}, "line 3"),
    "twice": ({"compose.yaml": "services:\n  web: {image: a}\n  web: {image: b}\n"}, "twice"),
    "port-too-large": ({"compose.yaml": ports('"70000:80"')}, "70000"),
    "port-text": ({"compose.yaml": ports('"web:80"')}, "web"),
    "range-mismatch": ({"compose.yaml": ports('"8000-8002:80-81"')}, "ports[0]"),
    "range-backwards": ({"compose.yaml": ports('"8002-8000:80"')}, "8002-8000"),
    "protocol": ({"compose.yaml": ports('"80:80/ipx"')}, "ipx"),
    "address": ({"compose.yaml": ports('"1.2.3.400:80:80"')}, "1.2.3.400"),
    "no-target": ({"compose.yaml": ports('{published: "80"}')}, "target"),
    "unknown-key": ({"compose.yaml": ports('{target: 80, publishd: "80"}')}, "publishd"),
    "required": ({"compose.yaml": ports('"${PORT:?set it}:80"')}, "set it"),
    "unclosed": ({"compose.yaml": ports('"${PORT:80"')}, "PORT"),
    "extends-nothing": ({"compose.yaml": "services:\n  web: {extends: {service: base}}\n"}, "base"),
    "extends-no-file": (
        {"compose.yaml": "services:\n  web: {extends: {service: base, file: gone.yaml}}\n"},
        "gone.yaml",
    ),
    "extends-circle": (
        {"compose.yaml": "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n"},
        "circle",
    ),
    "include-no-file": ({"compose.yaml": "include: [gone.yaml]\n" + ports('"8080:80"')}, "gone.yaml"),
    "include-itself": ({"compose.yaml": "include: [compose.yaml]\n" + ports('"8080:80"')}, "itself"),
    "include-clash": (
        {
            "compose.yaml": "include: [db/compose.yaml]\n" + ports('"8080:80"'),
            "db/compose.yaml": "services:\n  web: {image: b}\n",
        },
        "services.web",
    ),
    "ports-mapping": ({"compose.yaml": WEB + "    ports: {80: 80}\n"}, "services.web.ports"),
    "ports-nothing": ({"compose.yaml": WEB + "    ports:\n"}, "services.web.ports"),
    "ports-empty-mapping": ({"compose.yaml": WEB + "    ports: {}\n"}, "services.web.ports"),
    "network-of-nobody": ({"compose.yaml": WEB + "    network_mode: service:db\n"}, "services.web.network_mode"),
    "extends-circle-of-files": (
        {
            "compose.yaml": "services:\n  web: {extends: {service: web, file: db/a.yaml}}\n",
            "db/a.yaml": "services:\n  web: {extends: {service: web, file: ../compose.yaml}}\n",
        },
        "services.web.extends: web -> web -> web goes round",
    ),
    "env-compose-file-gone": ({"compose.yaml": WEB, ".env": "COMPOSE_FILE=gone.yaml\n"}, "gone.yaml"),
    "env-bad": ({"compose.yaml": WEB, ".env": "A=1\nB C=2\n"}, ".env: line 2"),
    "nothing-in-it": ({"compose.yaml": "---\n"}, "a stack is a mapping"),
    "profiles-text": ({"compose.yaml": WEB + "    profiles: debug\n"}, "profiles"),
    "service-list": ({"compose.yaml": "services:\n  web: [image, a]\n"}, "services.web"),
    "alias-unknown": ({"compose.yaml": "services:\n  web: *nobody\n"}, "nobody"),
}

# Text of a .env file, and what A is then.
DOTENV = {
    "plain": ("A=1", "1"),
    "export": ("export  A=1\n", "1"),
    "colon": ("A: 1\n", "1"),
    "spaces": ("  A = 1  \n", "1"),
    "comment": ("# A=2\nA=1 # A=3\n# A=4", "1"),
    "no-comment": ("A=1#2\n", "1#2"),
    "hash-first": ("A=#1\n", "#1"),
    "empty": ("A=\nB=2\n", ""),
    "the-last-one": ("A=1\nA=2\n", "2"),
    "windows": ("A=1\r\nB=2\r\n", "1"),
    "byte-order-mark": ("\ufeffA=1\n", "1"),
    "single": ("B=2\nA='$B # 1' # c\n", "$B # 1"),
    "double": ('B=2\nA="$B # 1" # c\n', "2 # 1"),
    "reference": ("B=2\nA=${B}1\n", "21"),
    "default": ("A=${B:-3}\n", "3"),
    "unset": ("A=x$B\n", "x"),
    "lone-dollar": ("A=pa$%word\n", "pa$%word"),
    "escaped-dollar": ('B=2\nA="\\$B"\n', "$B"),
    "escaped-quote": ('A="a\\"b"\n', 'a"b'),
    "escaped-single-quote": ("A='it\\'s'\n", "it's"),
    "backslash": ("A='a\\b'\n", "a\\b"),
    "tab": ('A="a\\tb"\n', "a\tb"),
    "lines": ("A='1\n2'\nB=3\n", "1\n2"),
    "after-a-quote": ("B='1'A=2\n", "2"),
    "dots": ("a.b-c=1\nA=2\n", "2"),
    "digit-first": ("1A=1\nA=2\n", "2"),
}
