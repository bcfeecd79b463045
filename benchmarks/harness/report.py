"""Rows with ratios and bounds: printed, and written as Markdown, JSON and SVG."""

import json
import os


def text(value):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


class Report:
    """The figures of one run, in the order they were measured."""

    def __init__(self, facts):
        self.facts = facts
        self.rows = []
        self.seconds = {}

    def ratio(self, scenario, unit, values, against="nginx static", at_most=None, at_least=None):
        """Cistern's figure over that of `against`, held against a bound."""
        ratio = values["cistern"] / values[against] if values.get(against) else None
        self._add(scenario, unit, values, ratio, against, at_most, at_least)

    def figure(self, scenario, unit, values, at_most=None, at_least=None):
        """Cistern's figure itself, held against a bound."""
        self._add(scenario, unit, values, values["cistern"], None, at_most, at_least)

    def _add(self, scenario, unit, values, held, against, at_most, at_least):
        met = None
        if held is not None and at_most is not None:
            met = held <= at_most
        if held is not None and at_least is not None:
            met = held >= at_least
        bound = ""
        if at_most is not None:
            bound = f"≤ {at_most}"
        if at_least is not None:
            bound = f"≥ {at_least}"
        if bound and against:
            bound += f" × {against}"
        row = {
            "scenario": scenario, "unit": unit, "values": values, "held": held, "against": against,
            "at_most": at_most, "at_least": at_least, "bound": bound, "met": met,
        }
        self.rows.append(row)
        peers = ", ".join(
            f"{name} {text(value)}" for name, value in values.items() if name != "cistern")
        print(f"{scenario}, {unit}: cistern {text(values['cistern'])}"
              + (f" ({peers})" if peers else "") + (f"; {text(held)}" if against else "")
              + (f" {bound}: {self.verdict(row)}" if bound else ""), flush=True)

    @staticmethod
    def verdict(row):
        return {None: "", True: "met", False: "not met"}[row["met"]]

    def failed(self, scenario, error):
        """A scenario that could not be measured is a row, too."""
        self.rows.append({
            "scenario": scenario, "unit": "", "values": {}, "held": None, "against": None,
            "at_most": None, "at_least": None, "bound": f"not measured: {error}", "met": False,
        })
        print(f"{scenario}: not measured: {error}", flush=True)

    def took(self, scenario, seconds):
        """How long a scenario took."""
        self.seconds[scenario] = round(seconds, 1)
        print(f"  ({scenario}: {seconds:.0f} s)", flush=True)

    def write(self, folder):
        with open(os.path.join(folder, "RESULTS.json"), "w") as file:
            document = {"facts": self.facts, "seconds": self.seconds, "rows": self.rows}
            json.dump(document, file, indent=1, ensure_ascii=False)
            file.write("\n")
        with open(os.path.join(folder, "RESULTS.svg"), "w") as file:
            file.write(self.plot())
        with open(os.path.join(folder, "RESULTS.md"), "w") as file:
            file.write(self.markdown())

    def markdown(self):
        others = []
        for row in self.rows:
            others += [name for name in row["values"] if name not in others and name != "cistern"]
        lines = ["# Results", "", "Written by `benchmarks/run`; how: README.md.", ""]
        lines += [f"* {name}: {value}" for name, value in self.facts.items()]
        met = sum(row["met"] is True for row in self.rows)
        bounds = sum(row["met"] is not None for row in self.rows)
        lines += [f"* bounds met: {met} of {bounds}", "", "![](RESULTS.svg)", ""]
        head = ["scenario", "figure", "cistern"] + others + ["held", "bound", ""]
        lines.append("| " + " | ".join(head) + " |")
        lines.append("|---|---|" + "--:|" * (len(others) + 2) + "---|---|")
        for row in self.rows:
            cells = [row["scenario"], row["unit"], text(row["values"].get("cistern"))]
            cells += [text(row["values"].get(name)) for name in others]
            cells += [text(row["held"]), row["bound"], self.verdict(row)]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def plot(self):
        """One bar per bound: how much of it is used up; whatever stays left of the line is met."""
        bars = []
        for row in self.rows:
            if row["met"] is None or not row["held"]:
                continue
            limit = row["at_most"] if row["at_most"] is not None else row["at_least"]
            used = row["held"] / limit if row["at_most"] is not None else limit / row["held"]
            bars.append((f"{row['scenario']}: {row['unit']}", used, row["met"]))
        height, left, width = 18, 420, 360
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 60}" '
            f'height="{height * len(bars) + 40}" font-family="sans-serif" font-size="11">',
            f'<rect width="100%" height="100%" fill="white"/>',
        ]
        scale = width / 2
        for number, (label, used, met) in enumerate(bars):
            top = 24 + number * height
            length = min(max(used, 0.01), 2) * scale
            colour = "#2c7fb8" if met else "#d95f0e"
            escaped = label.replace("&", "&amp;").replace("<", "&lt;")
            parts.append(f'<text x="{left - 8}" y="{top + 11}" text-anchor="end">{escaped}</text>')
            parts.append(
                f'<rect x="{left}" y="{top}" width="{length:.0f}" height="13" fill="{colour}"/>')
            parts.append(f'<text x="{left + length + 4:.0f}" y="{top + 11}">{used:.2f}</text>')
        bottom = 24 + len(bars) * height
        line = left + scale
        parts.append(f'<line x1="{line}" y1="18" x2="{line}" y2="{bottom}" stroke="black"/>')
        parts.append(f'<text x="{line}" y="13" text-anchor="middle">the bound</text></svg>')
        return "\n".join(parts) + "\n"
