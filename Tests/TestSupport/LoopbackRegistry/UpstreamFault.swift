/// Something an upstream does wrong, applied to the answer it would have given.
///
/// Offsets count in the whole blob, so a fault means the same for a resumed transfer.
package enum UpstreamFault: Sendable {
    /// The byte at this offset goes out inverted.
    case flip(at: Int64)
    /// The connection ends (FIN) before this offset.
    case truncate(at: Int64)
    /// The connection is reset before this offset.
    case reset(at: Int64)
    /// Nothing more is sent from this offset until the gate opens.
    case stall(at: Int64, Gate)
    /// So many bytes come after the body.
    case extra(Int)
    /// `Content-Length` lies by so many bytes.
    case wrongLength(by: Int64)
    /// How the body's end is told.
    case framing(ResponsePlan.Framing)
    /// At most so many bytes a second.
    case drip(bytesPerSecond: Int)
    /// Another status with a small body and headers.
    case status(Int, headers: [(String, String)] = [], body: String = "upstream says no")
    /// A hotel's login page with status 200.
    case captivePortal
    /// `Docker-Content-Digest` says this; nil leaves it out.
    case digestHeader(String?)
    /// Any header set to this value; nil takes it away.
    case header(String, String?)
    /// `Range` is not heard: 200 and the whole body.
    case rangeIgnored
    /// A 206 that starts so many bytes off.
    case rangeShifted(by: Int64)
    /// Other bytes than asked for, with honest framing.
    case otherBody(TestContent)
    /// Headers without an end.
    case endlessHeaders
    /// A redirect to this place.
    case redirect(String, status: Int = 307)
    /// 401 with this challenge.
    case challenge(String)
    /// The status line waits for the gate.
    case hold(Gate)
    /// The connection is closed without an answer.
    case dropped

    /// Changes the plan; `request` tells what was asked.
    func apply(to plan: inout ResponsePlan, request: WireRequest) {
        switch self {
        case .flip(let offset): plan.flips.append(offset)
        case .truncate(let offset): plan.cut = (offset, .fin)
        case .reset(let offset): plan.cut = (offset, .reset)
        case .stall(let offset, let gate): plan.stall = (offset, gate)
        case .extra(let count): plan.extraBytes = count
        case .wrongLength(let delta): plan.announcedLength = Int64(plan.range.count) + delta
        case .framing(let framing): plan.framing = framing
        case .drip(let rate): plan.bytesPerSecond = rate
        case .endlessHeaders: plan.hasEndlessHeaders = true
        case .hold(let gate): plan.headGate = gate
        case .dropped: plan.isDropped = true
        default: applyToHead(of: &plan)
        }
    }

    private func applyToHead(of plan: inout ResponsePlan) {
        switch self {
        case .status(let status, let headers, let body):
            plan = ResponsePlan(status: status, headers, body: TestContent(body))
        case .captivePortal:
            let page = "<!doctype html><title>Welcome to the hotel</title><form>Log in</form>"
            plan = ResponsePlan(
                status: 200, [("Content-Type", "text/html")], body: TestContent(page))
        case .digestHeader(let digest): plan.set("Docker-Content-Digest", digest)
        case .header(let name, let value): plan.set(name, value)
        case .rangeIgnored:
            if plan.status == 206 {
                plan.status = 200
                plan.reason = "OK"
                plan.range = 0..<plan.body.size
                plan.set("Content-Range", nil)
            }
        case .rangeShifted(let delta):
            if plan.status == 206 {
                plan.range = (plan.range.lowerBound + delta)..<plan.range.upperBound
                let (first, last) = (plan.range.lowerBound, plan.range.upperBound - 1)
                plan.set("Content-Range", "bytes \(first)-\(last)/\(plan.body.size)")
            }
        case .otherBody(let content):
            plan.body = content
            plan.range = 0..<content.size
        case .redirect(let location, let status):
            plan = ResponsePlan(status: status, [("Location", location)], body: TestContent(""))
        case .challenge(let challenge):
            plan = .failure(401, "UNAUTHORIZED", "authentication required")
            plan.set("WWW-Authenticate", challenge)
        default: break
        }
    }
}

/// Which requests a fault is for.
package struct FaultRule: Sendable {
    /// Which face of the upstream; nil means any.
    package var role: WireRequest.Role?
    package var method: String?
    /// A part of the request target.
    package var targetContains: String
    /// How many matching requests to let pass first.
    package var after: Int
    /// How many requests to spoil; nil means all from then on.
    package var times: Int?
    package var faults: [UpstreamFault]
    var seen = 0

    package init(
        _ faults: [UpstreamFault], on targetContains: String, method: String? = "GET",
        role: WireRequest.Role? = nil, after: Int = 0, times: Int? = nil
    ) {
        (self.faults, self.targetContains, self.method) = (faults, targetContains, method)
        (self.role, self.after, self.times) = (role, after, times)
    }

    /// Counts the request if it matches, and tells whether to spoil it.
    mutating func takes(_ request: WireRequest) -> Bool {
        if let role, role != request.role { return false }
        if let method, method != request.method { return false }
        guard request.target.contains(targetContains) else { return false }
        seen += 1
        guard seen > after else { return false }
        return times.map { seen <= after + $0 } ?? true
    }
}
