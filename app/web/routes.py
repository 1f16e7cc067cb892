"""Address parts of our own."""

from __future__ import annotations

from datetime import date

from flask import Flask
from werkzeug.routing import BaseConverter

from app.domain.window import parse_day
from app.errors import InvalidInput
from app.web.errors import BadDay


class DayConverter(BaseConverter):
    """`<date:day>`: an ISO date. Anything else is no such page, and the page says what a day looks like."""

    regex = r"[^/]{1,40}"
    part_isolating = True

    def to_python(self, value: str) -> date:
        try:
            if len(value) != 10 or not value[0].isdigit():
                raise BadDay(value)
            return parse_day(value, date.min)
        except InvalidInput:
            raise BadDay(value) from None

    def to_url(self, value: object) -> str:
        return value.isoformat() if isinstance(value, date) else str(value)


def init(app: Flask) -> None:
    app.url_map.converters["date"] = DayConverter
