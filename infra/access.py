"""Let Kafka's users do with the topic what each of them needs, and no more.

Run it as Kafka's administrator, on a cluster that has an authorizer. The users themselves, and their passwords, are
made with Kafka's own tools. Rules that are there already stay as they are; those that nobody here needs are shown.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import SecurityDisabledError
from rich.console import Console
from rich.table import Table

from infra.topics import administration
from jobs.command_line import add_settings_arguments, run, settings_from
from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.sources import GROUP_PREFIX

# Part → what it does with the topic. Nobody here may delete it, and who administers it cannot read it.
TOPIC_RIGHTS = {
    # The producer asks how large a record may be.
    "producer": ("WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"),
    "stream": ("READ", "DESCRIBE"),
    "operator": ("CREATE", "ALTER", "ALTER_CONFIGS", "DESCRIBE", "DESCRIBE_CONFIGS"),
}
# The same of the topic of the alerts, which the stream writes.
ALERT_RIGHTS = {"stream": ("WRITE", "DESCRIBE"), "operator": TOPIC_RIGHTS["operator"]}


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every rule is there."""
    parser = argparse.ArgumentParser(
        prog="momo access", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for part in TOPIC_RIGHTS:
        default = f"momo-{part}"
        parser.add_argument(f"--{part}", metavar="USER", default=default, help=f"its user (default: {default})")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_settings_arguments(parser, "kafka")
    arguments = parser.parse_args(argv)
    settings = settings_from(arguments)
    wanted = rules(settings, {part: getattr(arguments, part) for part in TOPIC_RIGHTS})
    added, there = grant(settings, wanted)
    _print(settings, added, there, arguments.json)
    return 0


def rules(settings: Settings, users: Mapping[str, str]) -> list[Any]:
    """The access rules: part → user, as Kafka's own objects."""
    group = ResourcePattern(ResourceType.GROUP, GROUP_PREFIX, ACLResourcePatternType.PREFIXED)
    topics = ((settings.kafka.topic, TOPIC_RIGHTS), (settings.alerts.topic, ALERT_RIGHTS))
    on_topics = [
        _allow(users[part], right, ResourcePattern(ResourceType.TOPIC, topic))
        for topic, parts in topics
        for part, rights in parts.items()
        for right in rights
    ]
    return [*on_topics, _allow(users["stream"], "READ", group)]


def grant(settings: Settings, wanted: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Add the rules that are not there; gives those, and all that held for the same resources before.

    Raises `AccessDenied` for a user who may not do that, `SettingsError` for a cluster without rules.
    """
    with administration(settings) as admin:
        try:
            there = [rule for pattern in {rule.resource_pattern for rule in wanted} for rule in _held(admin, pattern)]
        except SecurityDisabledError:
            raise SettingsError(
                f"Kafka at {settings.kafka.bootstrap} has no authorizer, so everybody may do everything: "
                "set authorizer.class.name on its brokers (conf/kafka/secured.properties shows how)."
            ) from None
        missing = [rule for rule in wanted if rule not in there]
        if missing:
            for failure in admin.create_acls(missing)["failed"]:
                raise failure
    return missing, there


def _held(admin: Any, pattern: Any) -> Any:
    """The rules that hold for a resource: by its name, by a part of it, or for all of its kind."""
    named = ResourcePatternFilter(pattern.resource_type, pattern.resource_name, ACLResourcePatternType.MATCH)
    held, _ = admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, named))
    return held


def _allow(user: str, operation: str, pattern: Any) -> Any:
    return ACL(f"User:{user}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, pattern)


def _print(settings: Settings, added: Sequence[Any], there: Sequence[Any], as_json: bool) -> None:
    rows = [_row(rule, is_new) for rule_set, is_new in ((there, False), (added, True)) for rule in rule_set]
    rows.sort(key=lambda row: (row["user"], row["resource"], row["may"]))
    if as_json:
        print(json.dumps({"topic": settings.kafka.topic, "rules": rows}))
        return
    table = Table("user", "may", "resource", "from host", "", box=None, pad_edge=False)
    for row in rows:
        allowed = row["may"] if row["allowed"] else f"NOT {row['may']}"
        table.add_row(row["user"], allowed, row["resource"], row["host"], "new" if row["new"] else "")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(added)} rules are new, {len(there)} were there.")


def _row(rule: Any, is_new: bool) -> dict[str, Any]:
    pattern = rule.resource_pattern
    prefixed = "*" if pattern.pattern_type == ACLResourcePatternType.PREFIXED else ""
    return {
        "user": rule.principal.removeprefix("User:"),
        "may": rule.operation.name,
        "allowed": rule.permission_type == ACLPermissionType.ALLOW,
        "resource": f"{pattern.resource_type.name.lower()} {pattern.resource_name}{prefixed}",
        "host": rule.host,
        "new": is_new,
    }


if __name__ == "__main__":
    sys.exit(run(main))
