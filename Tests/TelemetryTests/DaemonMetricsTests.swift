import Testing

@testable import Telemetry

@Suite struct DaemonMetricsTests {
    private let daemon = DaemonMetrics(
        build: .init(version: "0.1.0", swift: "6.3.1"))

    private func expectSamples(_ samples: [String]) {
        let lines = Set(page.split(separator: "\n").map(String.init))
        for sample in samples { #expect(lines.contains(sample), "\(sample)") }
    }

    private var page: String {
        String(decoding: daemon.metrics.render(), as: UTF8.self)
    }

    @Test func everyFamilyHasAUniqueNameAndHelp() {
        daemon.store.show {
            .init(sizeBytes: 1, limitBytes: 2, blobs: 3, manifests: 4, filesystemFreeBytes: nil)
        }
        _ = daemon.repository("docker-hub")
        let helps = page.split(separator: "\n").filter { $0.hasPrefix("# HELP ") }
        let names = helps.map { $0.split(separator: " ")[2] }
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.hasPrefix("cistern_") || $0.hasPrefix("process_") })
        #expect(helps.allSatisfy { $0.hasSuffix(".") })
    }

    @Test func whatIsKnownIsZeroFromTheStart() {
        _ = daemon.repository("hub")
        _ = daemon.repository("releases", isHosted: true)
        expectSamples([
            #"cistern_uploads_started_total{repository="releases"} 0"#,
            #"cistern_uploads_ended_total{repository="releases",result="stored"} 0"#,
            #"cistern_push_mounts_total{repository="releases"} 0"#,
            #"cistern_hosted_collected_total{repository="releases",kind="blob"} 0"#,
            #"cistern_auth_failures_total{reason="bad_password"} 0"#,
            #"cistern_build_info{version="0.1.0",swift="6.3.1"} 1"#,
            #"cistern_http_requests_total{route="blob",method="HEAD",code="200"} 0"#,
            #"cistern_connections_rejected_total{reason="per_ip"} 0"#,
            #"cistern_http_response_bytes_total{repository="hub",source="upstream"} 0"#,
            #"cistern_cache_requests_total{repository="hub",kind="tag_list",cache="stale"} 0"#,
            #"cistern_upstream_errors_total{repository="hub",reason="rate_limited"} 0"#,
            #"cistern_upstream_requests_total{repository="hub",method="HEAD",code="200"} 0"#,
            #"cistern_fetches_in_flight{repository="hub"} 0"#,
            #"cistern_verified_blobs_total{result="corrupt"} 0"#,
            #"cistern_evicted_bytes_total{reason="size"} 0"#,
            "cistern_log_lines_dropped_total 0",
        ])
    }

    @Test func whatNobodyHasSaidYetIsNotShown() {
        _ = daemon.repository("hub")
        for name in [
            "cistern_upstream_up{", "cistern_upstream_rate_limit_pulls{",
            "cistern_evicted_idle_seconds ", "cistern_config_last_reload_successful ",
        ] {
            #expect(!page.contains("\n" + name), "\(name)")
        }
    }

    @Test func aRequestIsCountedOnceUnderItsRouteMethodAndStatus() {
        daemon.http.began(.blob)
        expectSamples([#"cistern_http_requests_in_flight{route="blob"} 1"#])
        daemon.http.finished(
            .blob, method: MethodLabel(method: "GET"), status: 206, duration: .milliseconds(30),
            firstByte: .milliseconds(2), cache: .coalesced)
        daemon.http.began(.manifest)
        daemon.http.finished(
            .manifest, method: MethodLabel(method: "BREW"), status: 418, duration: .zero,
            firstByte: nil, cache: nil)
        let bucket = "cistern_http_first_byte_seconds_bucket"
        expectSamples([
            #"cistern_http_requests_in_flight{route="blob"} 0"#,
            #"cistern_http_requests_total{route="blob",method="GET",code="206"} 1"#,
            #"cistern_http_requests_total{route="manifest",method="other",code="other"} 1"#,
            #"cistern_http_request_duration_seconds_sum{route="blob"} 0.03"#,
            bucket + #"{route="blob",cache="coalesced",le="0.002"} 1"#,
            bucket + #"{route="blob",cache="coalesced",le="0.001"} 0"#,
        ])
    }

    @Test func aRepositorysCountsCarryItsName() {
        let hub = daemon.repository("hub")
        hub.requested(.blob, .hit)
        hub.sent(1000, from: .cache)
        hub.upstreamAnswered(.head, status: 429, after: .milliseconds(80))
        hub.upstreamFailed(label: "rate_limited")
        hub.upstreamFailed(label: "something from a response")
        hub.upstreamUp.set(1)
        expectSamples([
            #"cistern_cache_requests_total{repository="hub",kind="blob",cache="hit"} 1"#,
            #"cistern_http_response_bytes_total{repository="hub",source="cache"} 1000"#,
            #"cistern_upstream_requests_total{repository="hub",method="HEAD",code="429"} 1"#,
            #"cistern_upstream_errors_total{repository="hub",reason="rate_limited"} 1"#,
            #"cistern_upstream_errors_total{repository="hub",reason="other"} 1"#,
            #"cistern_upstream_up{repository="hub"} 1"#,
        ])
    }

    @Test func theProcessDescribesItself() throws {
        let names = [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
            "process_max_fds", "process_start_time_seconds",
        ]
        for name in names {
            let line = try #require(
                page.split(separator: "\n").first { $0.hasPrefix(name + " ") })
            let value = try #require(Double(line.dropFirst(name.count + 1)))
            #expect(value > 0)
        }
    }
}
