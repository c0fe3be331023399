"""Prints device reports on a terminal: one heading per part, readable at 80 columns. Only long byte strings in
deviations and attributes are cut off; `--json` has all bytes that the gateway keeps.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
Pairs = Iterable[tuple[str, str]]

OCTETS_SHOWN = 64
_DAY_S = 86_400
_OUTCOME_STYLES = {"tolerated": "yellow", "refused": "red", "ended": "bold red"}


def print_report(report: Json) -> None:
    console = Console(highlight=False)
    console.print(Text(_title(report), style="bold"))
    console.print(Text(_presence(report)))
    _part(console, "Identity", _identity(report["identity"]))
    _part(console, "Regulatory", _regulatory(report["regulatory"]))
    _configuration(console, report["configuration"])
    _part(console, "Clock", _clock(report["clock"]))
    _part(console, "Power", _power(report["power"]))
    _part(console, "Counts", _counts(report))
    _part(console, "Links", ((each["link"], _spans(each)) for each in report["links"]))
    _deviations(console, report)


def _title(report: Json) -> str:
    identity = report["identity"]
    name = " ".join(filter(None, (identity["manufacturer"], identity["model"])))
    return f"{name or 'a device without a name'}  {report['system_id']}"


def _presence(report: Json) -> str:
    where = f"connected by {report['link']}" if report["connected"] else "not connected"
    return f"{where}, first seen {_moment(report['first_seen'])}, last {_moment(report['last_seen'])}"


def _moment(text: str) -> str:
    return f"{text[:19]}Z"


def _spans(each: Json) -> str:
    times, first, last = each["associations"], _moment(each["first_seen"]), _moment(each["last_seen"])
    when = first if first == last else f"first {first}, last {last}"
    return f"{times} association{'' if times == 1 else 's'}, {when}"


def _part(console: Console, title: str, pairs: Pairs) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    _pairs(console, pairs, indent=2)


def _pairs(console: Console, pairs: Pairs, *, indent: int) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold", max_width=34)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))
    if not table.row_count:
        table.add_row(Text("nothing", style="dim"), Text(""))
    console.print(Padding(table, (0, 0, 0, indent)))


def _identity(identity: Json) -> Iterator[tuple[str, str]]:
    if identity["read"] is None:
        yield "never read", "the device did not identify itself"
        return
    for field in ("manufacturer", "model", "serial_number", "firmware"):
        yield field.replace("_", " "), identity[field] or "–"
    for each in identity["specializations"]:
        yield "specialisation", f"{each['name']} version {each['version']}"
    for each in identity["production"]:
        if each["kind"] not in ("serial number", "firmware revision"):
            yield each["kind"], each["text"]
    for name in identity["unreadable"]:
        yield "cannot be read", name
    yield "read", _moment(identity["read"])


def _regulatory(entries: list[Json]) -> Iterator[tuple[str, str]]:
    for each in entries:
        for certified in each.get("classes", ()):
            version = f"guidelines {each['version']}, " if each["version"] else ""
            yield f"{each['body']} certified", f"{version}{certified['profile']} over {certified['transport']}"
        if each.get("unregulated") is not None:
            yield f"{each['body']} regulation", "unregulated device" if each["unregulated"] else "regulated device"
        elif not each.get("classes"):
            yield str(each["body"] or "not readable"), _hex_groups(each["hex"])


def _configuration(console: Console, configuration: Json | None) -> None:
    console.print()
    console.print(Text("Configuration", style="bold"))
    if configuration is None:
        _pairs(console, [], indent=2)
        return
    origin = "explained by the device" if configuration["learned"] else "known without a request"
    number = configuration["id"]
    head = f"0x{number:04X} ({number}), {configuration['kind']}, {origin}, agreed {_moment(configuration['agreed'])}"
    console.print(Padding(Text(head), (0, 0, 0, 2)))
    if not configuration["known"]:
        console.print(Padding(Text("its objects are not kept"), (0, 0, 0, 2)))
    for item in configuration["objects"]:
        _object(console, item)
    left_out = configuration["objects_left_out"], configuration["attributes_left_out"]
    if any(left_out):
        console.print(Padding(Text(f"not listed: {left_out[0]} objects, {left_out[1]} attributes"), (0, 0, 0, 2)))


def _object(console: Console, item: Json) -> None:
    """Print the name and attributes of one object of a device in as few lines as possible, because a monitor has thirty
    objects."""
    head = Text.assemble((f"handle {item['handle']}", "cyan"), f" {item['class']}")
    if item["type"] is not None:
        head.append(f" {item['type']}")
    if item["unit"] is not None:
        head.append(f" in {item['unit']}")
    console.print(Padding(head, (0, 0, 0, 2)))
    details = [
        f"{_short(each['name'])} {_short(each['says'] or _hex_groups(each['hex']))}"
        for each in item["attributes"]
        if each["name"] not in _IN_HEAD and not (item["scans"] and each["name"] == _SCAN_MAP)
    ]
    details += [f"scans handle {each['handle']}: {_short(each['values'])}" for each in item["scans"]]
    if details:
        console.print(Padding(Text(" · ".join(details), style="dim"), (0, 0, 0, 4)))


_SCAN_MAP = "MDC_ATTR_SCAN_HANDLE_ATTR_VAL_MAP"
_IN_HEAD = frozenset({"MDC_ATTR_ID_TYPE", "MDC_ATTR_UNIT_CODE"})


def _short(names: str) -> str:
    return names.replace("MDC_ATTR_", "")


def _clock(clock: Json) -> Iterator[tuple[str, str]]:
    if clock["info"] is not None:
        info = clock["info"]
        yield "reported", "; ".join(info["capabilities"]) or "it has no clock"
        if info["synchronised_by"] is not None:
            yield "synchronised by", info["synchronised_by"]
        accuracy = info["accuracy_s"]
        yield "accuracy", "not known" if accuracy is None else f"{accuracy:g} s"
        for name in ("date", "relative", "high_resolution"):
            if step_s := info[f"{name}_step_s"]:
                yield f"{name.replace('_', '-')} step", f"{step_s:g} s"
    if clock["showed"] is not None:
        yield "shown on request", clock["showed"] if clock["readable"] else f"no time: {clock['showed']}"
    for each in clock["relations"]:
        yield f"{each['clock']} clock", _relation(each)
    for each in clock["settings"]:
        why = f": {each['why']}" if each["why"] else ""
        before = "" if each["offset_s"] is None else f", it was {_offset(each['offset_s'])}"
        yield f"{_moment(each['at'])}", f"{each['outcome']}{why}{before}"


def _relation(each: Json) -> str:
    if each["zero_at"] is not None:
        return f"began at {_moment(each['zero_at'])} ± {each['uncertainty_s']:g} s{_drift(each['drift_ppm'])}"
    if each["offset_s"] is None:
        return "its relation to ours is not known"
    return f"{_offset(each['offset_s'])} ± {each['uncertainty_s']:.3g} s{_drift(each['drift_ppm'])}"


def _drift(ppm: float | None) -> str:
    if ppm is None:
        return ""
    return f", it runs {abs(ppm):g} ppm {'slow' if ppm < 0 else 'fast'}"


def _offset(offset_s: float) -> str:
    """Return as text how far the device's clock is behind or ahead. `offset_s` is the gateway's time minus the device's
    time."""
    size_s = abs(offset_s)
    size = f"{size_s / _DAY_S:.1f} d" if size_s > 2 * _DAY_S else f"{size_s:.3f} s"
    return f"{size} {'behind' if offset_s > 0 else 'ahead of'} ours"


def _power(power: Json) -> Iterator[tuple[str, str]]:
    if power["status"]:
        yield "status", ", ".join(power["status"])
    if power["battery_percent"] is not None:
        yield "battery", f"{power['battery_percent']} %"
    if power["battery_remaining"] is not None:
        yield "battery lasts", power["battery_remaining"]


def _counts(report: Json) -> Iterator[tuple[str, str]]:
    for name, count in report["counts"].items():
        yield {"deviations": "kinds of deviation"}.get(name, name.replace("_", " ")), str(count)
        if name == "refused_reports":
            for why, reports in report.get("refused_by_reason", {}).items():
                yield f"  {why}", str(reports)
    for why, claims in report.get("refused_claims", {}).items():
        yield f"refused claims of the id, {why}", f"{claims}, the latest by {report['refused_claim_link']}"
    # A running gateway of an earlier version does not count its devices' PM-stores separately.
    memory = report.get("memory", {})
    if any(memory.values()):
        entries = f"{memory['entries']} entries of {memory['segments']} segments"
        yield "fetched from its memory", f"{entries}, {memory['observations']} observations"
        if memory["refused_entries"]:
            yield "entries refused, store full", str(memory["refused_entries"])
    if (window := report["confirmed_before_durable"]) is not None:
        later = f"durable {window['ms_p99']:g} ms later (p99; at most {window['ms_max']:g} ms)"
        yield "indications", f"{window['indications']}, {later}"
    for how, count in report["ends"].items():
        yield how, str(count)


def _deviations(console: Console, report: Json) -> None:
    console.print()
    console.print(Text("Deviations from the standard", style="bold"))
    for each in report["deviations"]:
        outcome = each["outcome"] or "noted"
        head = Text.assemble((outcome, _OUTCOME_STYLES.get(outcome, "")), f"  {each['sentence']} [{each['clause']}]")
        console.print(Padding(head, (0, 0, 0, 2)))
        pairs = [("seen in", _spans(each))]
        if each["done"]:
            pairs.append(("what we do", each["done"]))
        if each["hex"]:
            pairs.append(("bytes", _hex_groups(each["hex"])))
        _pairs(console, pairs, indent=4)
    if not report["deviations"]:
        _pairs(console, [("none seen", "")], indent=2)
    elif report["deviations_left_out"]:
        left_out = f"{report['deviations_left_out']} more that were not seen for longer"
        console.print(Padding(Text(left_out), (0, 0, 0, 2)))


def _hex_groups(digits: str) -> str:
    """Return hexadecimal digits in groups of two bytes. A long string is cut off, and its length in bytes is added."""
    shown = digits[: 2 * OCTETS_SHOWN].upper()
    groups = " ".join(shown[at : at + 4] for at in range(0, len(shown), 4))
    return f"{groups} … ({len(digits) // 2} bytes)" if len(digits) > len(shown) else groups
