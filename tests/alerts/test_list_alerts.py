"""momo alerts list: the newest windows first, each with its reason."""

import json

from jobs import list_alerts
from tests.alerts.lakes import paid


def listed(followed, capsys, *flags):
    assert list_alerts.main(["list", "--lake", str(followed.lake.path), *flags]) == 0
    return capsys.readouterr().out


def test_alerts_are_listed_with_their_reasons_the_newest_window_first(followed, capsys):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ana", "eve", "10:05:00"))
    followed.write(paid("T-3", "joe", "ben", "11:01:00", "1000000"))

    told = listed(followed, capsys).split("\n")

    assert [line.split() for line in told[:3]] == [
        ["2026-03-27", "11:01", "low", "large", "1,", "large"],
        ["joe"],
        ["1000000", "UGX"],
    ]
    assert [line.strip() for line in told[3:6]] == [
        "2026-03-27 10:00  medium    fan_out 1, two",
        "ana",
        "2 payees within 1 hour",
    ]


def test_a_list_can_be_of_one_rule_of_one_severity_or_since_a_time(followed, capsys):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ana", "eve", "10:05:00"))
    followed.write(paid("T-3", "joe", "ben", "11:01:00", "1000000"))

    def rules(*flags):
        return [json.loads(line)["rule_id"] for line in listed(followed, capsys, "--json", *flags).splitlines()]

    assert rules() == ["large", "fan_out"]
    assert rules("--limit", "1") == ["large"]
    assert rules("--rule", "fan_out") == ["fan_out"]
    assert rules("--severity", "low") == ["large"]
    assert rules("--since", "2026-03-27T11:00:00Z") == ["large"]


def test_an_alert_that_is_sent_to_nobody_says_so(followed, capsys):
    followed.write(paid("T-1", "ana", "ben", "10:01:00"), paid("T-2", "ben", "eve", "10:05:00"))

    assert "passed 2, most (shadow)" in listed(followed, capsys, "--rule", "passed")
