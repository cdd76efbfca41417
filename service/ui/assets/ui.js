// What the page does by itself: it asks only while somebody looks, says when it cannot, and draws.
"use strict";
(() => {
    const state = document.getElementById("state");
    const say = (text, isStale) => {
        state.textContent = text;
        state.classList.toggle("stale", isStale);
    };

    // A hidden page asks nothing; one that is seen again asks at once.
    document.addEventListener("htmx:before:request", (event) => {
        if (document.hidden) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) return;
        for (const id of ["live", "seeds"]) htmx.trigger(document.getElementById(id), "look");
    });
    // An error is not put in the place of what was seen last.
    document.addEventListener("htmx:before:response", (event) => {
        const { status } = event.detail.ctx.response;
        if (status === 200) return say("live", false);
        event.preventDefault();
        say(`not live: status ${status}`, true);
    });
    document.addEventListener("htmx:error", () => say("not live: no answer", true));

    // Latency distributions of the function that is open, one line for each kind of start.
    const KINDS = { hot: 1, parked: 1, clone: 1, restore: 1, level1: 1, cold: 1 };
    let plot = null;
    let drawn = "";

    const numbers = (text) => (text ? text.split(",").map(Number) : []);
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

    // For each kind the part of its starts, in percent, that took at most so long.
    function lines(elements) {
        const kinds = elements.map((element) => {
            const counts = numbers(element.dataset.counts);
            return { name: element.dataset.kind, us: numbers(element.dataset.us), counts, all: counts.reduce((a, b) => a + b, 0) };
        });
        const times = [...new Set(kinds.flatMap((kind) => kind.us))].sort((a, b) => a - b);
        const line = ({ us, counts, all }) => {
            let at = 0;
            let sum = 0;
            return times.map((time) => {
                while (at < us.length && us[at] <= time) sum += counts[at++];
                return (100 * sum) / all;
            });
        };
        return { names: kinds.map((kind) => kind.name), data: [times.map((us) => us / 1000), ...kinds.map(line)] };
    }

    function options(names, width) {
        const ink = colour("--quiet");
        const axis = { stroke: ink, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
        const stepped = uPlot.paths.stepped({ align: 1 });
        return {
            width,
            height: 220,
            scales: { x: { time: false, distr: 3 }, y: { range: [0, 102] } },
            axes: [
                { ...axis, values: (_, values) => values.map((ms) => (ms == null ? "" : ms < 1000 ? `${+ms.toPrecision(3)} ms` : `${ms / 1000} s`)) },
                { ...axis, size: 48, values: (_, values) => values.map((percent) => `${percent} %`) },
            ],
            series: [
                { label: "within", value: (_, ms) => (ms == null ? "" : `${ms.toPrecision(3)} ms`) },
                ...names.map((name) => ({
                    label: name,
                    stroke: colour(name in KINDS ? `--${name}` : "--quiet"),
                    width: 2,
                    points: { show: false },
                    paths: stepped,
                    value: (_, percent) => (percent == null ? "" : `${percent.toFixed(1)} %`),
                })),
            ],
            cursor: { drag: { x: false, y: false } },
        };
    }

    function draw(always) {
        const place = document.getElementById("plot");
        const elements = [...document.querySelectorAll("#distributions > i")];
        if (!place || elements.length === 0) return;
        const now = elements.map((element) => `${element.dataset.kind}:${element.dataset.counts}`).join(";");
        if (!always && now === drawn && place.firstChild) return;
        drawn = now;
        const { names, data } = lines(elements);
        plot?.destroy();
        plot = new uPlot(options(names, place.clientWidth), data, place);
    }

    document.addEventListener("htmx:after:swap", () => draw(false));
    window.addEventListener("resize", () => draw(true));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
    draw(true);
})();
