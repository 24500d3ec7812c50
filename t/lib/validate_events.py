#!/usr/bin/python3

# Copyright (C) The nginx gateway modules authors

"""Checks usage events, one per line, by code that has nothing of ours in it.

    validate_events.py [FILE ...] < events

Each has to be one strict JSON text in UTF-8 without doubled members, and to
satisfy docs/usage-event.schema.json.  Those with a subject have to be what
OpenMeter takes, too.  What is wrong is printed as "LINE: WHERE: WHAT"; the
last line is "N events" and how many of each type.  Exits with 1 if anything
is wrong, or if there was no event.
"""

import collections
import datetime
import json
import pathlib
import re
import sys

import jsonschema


SCHEMA = (pathlib.Path(__file__).resolve().parents[2]
          / "docs" / "usage-event.schema.json")

# RFC 3986, without the literal addresses that need brackets

URI_REFERENCE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*:|(?![^/?#]*:))"
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?")

formats = jsonschema.FormatChecker(formats=())


# the library knows these two only with packages that Debian lacks

@formats.checks("uri-reference")
def is_uri_reference(value):
    return not isinstance(value, str) or bool(URI_REFERENCE.fullmatch(value))


@formats.checks("date-time", raises=ValueError)
def is_date_time(value):
    if isinstance(value, str):
        datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")

    return True


def members(pairs):
    names = [name for name, _ in pairs]

    if len(set(names)) != len(names):
        raise ValueError("a member is doubled")

    return dict(pairs)


def constant(text):
    raise ValueError(f"{text} is not JSON")


def parse(line):
    text = line.decode("utf-8")

    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")

    event = json.loads(text, object_pairs_hook=members,
                       parse_constant=constant)

    # half of a surrogate pair, escaped

    json.dumps(event, ensure_ascii=False).encode("utf-8")

    return event


# what a schema can't say

def between_members(event):
    generation = event["id"].partition("-")[0]
    number = event["id"].rpartition("-")[2].lstrip("m")
    data = event["data"]

    if int(number) >= 2 ** 64:
        yield "id", "a number of more than 64 bits"

    if data.get("generation", generation) != generation:
        yield "data.generation", "not that of the id"

    if event["type"] == "gw.usage.unfinished.v1" \
            and data["start"] != event["time"]:
        yield "data.start", "not the time of the event"

    if data.get("dropped", 0) > data.get("sequence", data.get("dropped", 0)):
        yield "data.dropped", "more than there are sequences"


def openmeter(event):
    """The rules of an Event in OpenMeter's api/openapi.yaml, and those of its
    ValidateKafkaPayloadToCloudEvent() for what comes by Kafka."""

    for name in "id", "source", "specversion", "type", "subject":
        if not isinstance(event.get(name), str) or not event[name]:
            yield name, "OpenMeter: has to be a text, and not empty"

    if not is_uri_reference(event.get("source")):
        yield "source", "OpenMeter: not a URI reference"

    if event.get("datacontenttype") not in (None, "application/json"):
        yield "datacontenttype", "OpenMeter: not application/json"

    if event.get("data") is not None and not isinstance(event["data"], dict):
        yield "data", "OpenMeter: not an object"

    # Z stands for UTC: strptime() alone would take it for a letter

    time = datetime.datetime.strptime(event["time"][:-1] + "+0000",
                                      "%Y-%m-%dT%H:%M:%S.%f%z")

    if time.timestamp() < 1:
        yield "time", "OpenMeter: not after 1970 began"


def wrong(validator, event):
    found = [(".".join(map(str, error.absolute_path)) or "event",
              error.message)
             for error in validator.iter_errors(event)]

    if not found:
        found += between_members(event)

        if "subject" in event:
            found += openmeter(event)

    return found


def lines(paths):
    if not paths:
        yield from sys.stdin.buffer

    for path in paths:
        with open(path, "rb") as file:
            yield from file


def main():
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)

    jsonschema.Draft202012Validator.check_schema(schema)

    validator = jsonschema.Draft202012Validator(schema,
                                                format_checker=formats)
    types = collections.Counter()
    failed = False

    for number, line in enumerate(lines(sys.argv[1:]), 1):
        try:
            event = parse(line)
            found = wrong(validator, event)

        except ValueError as error:
            found = [("event", error)]

        for where, what in found:
            print(f"{number}: {where}: {what}")
            failed = True

        if not found:
            types[event["type"]] += 1

    print(f"{types.total()} events",
          *[f"{name}={types[name]}" for name in sorted(types)])

    sys.exit(failed or not types)


main()
