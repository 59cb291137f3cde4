import Foundation

/// A picture of one row: lines over an axis.
struct Plot: Codable {
    struct Line: Codable {
        let name: String
        /// `[x, y]`, x rising.
        let points: [[Double]]
    }

    enum Axis: String, Codable {
        /// x is a fraction of the measured values; drawn as nines: 0.9, 0.99, 0.999 at equal distances.
        case percentile
        /// x on a logarithmic scale.
        case logarithmic
    }

    let title: String
    let axis: Axis
    let xLabel: String
    let yLabel: String
    let lines: [Line]

    /// The fractions at which distributions are drawn.
    static let fractions: [Double] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999]

    /// A latency distribution from single values.
    static func distribution(_ name: String, _ values: [Double]) -> Line {
        let sorted = values.sorted()
        let enough = fractions.filter { Double(sorted.count) * (1 - $0) >= 5 }
        return Line(name: name, points: enough.map { [$0, quantile(sorted, $0)] })
    }
}

/// Draws a plot as SVG: no script, no outside font, readable on a light and on a dark page.
struct Drawing {
    private let plot: Plot
    private let width = 720.0, height = 400.0, left = 70.0, right = 20.0, top = 40.0, bottom = 50.0
    private let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777", "#aa4499"]

    init(_ plot: Plot) { self.plot = plot }

    private var points: [[Double]] { plot.lines.flatMap(\.points) }

    private func across(_ x: Double) -> Double {
        switch plot.axis {
        case .percentile: x >= 0.5 ? 1 - log2(2 * (1 - x)) / log2(10) : x * 2
        case .logarithmic: log10(max(x, 1e-9))
        }
    }

    private func range(_ values: [Double]) -> (Double, Double) {
        let low = values.min() ?? 0, high = values.max() ?? 1
        return low == high ? (low - 0.5, high + 0.5) : (low, high)
    }

    private func place(_ point: [Double]) -> (x: Double, y: Double) {
        let (x0, x1) = range(points.map { across($0[0]) })
        let (y0, y1) = yRange
        let y = (log10(max(point[1], 1e-9)) - y0) / (y1 - y0)
        return (
            left + (across(point[0]) - x0) / (x1 - x0) * (width - left - right),
            height - bottom - y * (height - top - bottom)
        )
    }

    // Whole steps of 1, 2, 5 around the values, as logarithms.
    private var yRange: (Double, Double) {
        let (low, high) = range(points.map { log10(max($0[1], 1e-9)) })
        let below = steps.last { $0 <= low + 1e-9 } ?? low, above = steps.first { $0 >= high - 1e-9 } ?? high
        return below == above ? (below - 0.3, above + 0.3) : (below, above)
    }

    private var steps: [Double] { (-9...9).flatMap { power in [1, 2, 5].map { log10($0) + Double(power) } } }

    var svg: String {
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" \
            font-family="sans-serif" font-size="12" role="img" aria-label="\(escaped(plot.title))">
            <rect width="100%" height="100%" fill="#ffffff"/>
            """, text(width / 2, 22, plot.title, anchor: "middle", size: 14),
            text(left + (width - left - right) / 2, height - 10, plot.xLabel, anchor: "middle"),
            """
            <text x="16" y="\(format(height / 2))" text-anchor="middle" \
            transform="rotate(-90 16 \(format(height / 2)))">\(escaped(plot.yLabel))</text>
            """,
        ]
        parts += grid()
        for (index, line) in plot.lines.enumerated() { parts += draw(line, index) }
        return (parts + ["</svg>"]).joined(separator: "\n") + "\n"
    }

    private func grid() -> [String] {
        var parts: [String] = []
        let (y0, y1) = yRange
        for step in steps where step >= y0 - 1e-9 && step <= y1 + 1e-9 {
            let value = pow(10, step)
            let y = height - bottom - (step - y0) / (y1 - y0) * (height - top - bottom)
            parts.append(rule(left, y, width - right, y))
            parts.append(text(left - 6, y + 4, tick(value), anchor: "end"))
        }
        var last = -100.0
        for x in Array(Set(points.map { $0[0] })).sorted() {
            let at = place([x, 1]).x
            if at - last < 38 { continue }
            last = at
            parts.append(rule(at, top, at, height - bottom))
            let label = plot.axis == .percentile ? tick(x * 100) + " %" : tick(x)
            parts.append(text(at, height - bottom + 16, label, anchor: "middle"))
        }
        return parts
    }

    private func draw(_ line: Plot.Line, _ index: Int) -> [String] {
        let colour = colours[index % colours.count]
        let places = line.points.map(place)
        let path = places.map { "\(format($0.x)),\(format($0.y))" }.joined(separator: " ")
        var parts = [
            "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"/>"
        ]
        parts += places.map {
            "<circle cx=\"\(format($0.x))\" cy=\"\(format($0.y))\" r=\"2.5\" fill=\"\(colour)\"/>"
        }
        let y = top + 14 + Double(index) * 16
        parts.append(
            "<rect x=\"\(format(left + 10))\" y=\"\(format(y - 8))\" width=\"14\" height=\"4\" fill=\"\(colour)\"/>")
        parts.append(text(left + 30, y - 2, line.name, anchor: "start"))
        return parts
    }

    private func rule(_ x0: Double, _ y0: Double, _ x1: Double, _ y1: Double) -> String {
        "<line x1=\"\(format(x0))\" y1=\"\(format(y0))\" x2=\"\(format(x1))\" y2=\"\(format(y1))\" stroke=\"#dddddd\"/>"
    }

    private func text(_ x: Double, _ y: Double, _ words: String, anchor: String, size: Int = 12) -> String {
        "<text x=\"\(format(x))\" y=\"\(format(y))\" text-anchor=\"\(anchor)\" font-size=\"\(size)\">\(escaped(words))</text>"
    }

    private func format(_ value: Double) -> String { String(format: "%.1f", value) }
    private func tick(_ value: Double) -> String { String(format: "%g", (value * 1e6).rounded() / 1e6) }
    private func escaped(_ words: String) -> String {
        words.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: "\"", with: "&quot;")
    }
}
