/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
package enum HTTPDate {
    /// The length of every date.
    package static let byteCount = 29
    /// The first second of the year 10000, which has no date any more.
    private static let secondsEnd: Int64 = 253_402_300_800

    private static let weekdays: StaticString = "SunMonTueWedThuFriSat"
    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

    /// The date of a second since 1970; times before it and beyond the year 9999 are clamped.
    package static func format(_ seconds: Int64) -> String {
        String(decoding: bytes(seconds), as: UTF8.self)
    }

    /// The date's 29 bytes.
    package static func bytes(_ seconds: Int64) -> [UInt8] {
        let seconds = min(max(seconds, 0), secondsEnd - 1)
        let days = Int(seconds / 86400)
        let second = Int(seconds % 86400)
        let date = civil(days: days)
        var output: [UInt8] = []
        output.reserveCapacity(byteCount)
        append(weekdays, (days + 4) % 7, to: &output)
        output.append(contentsOf: ", ".utf8)
        appendTwo(date.day, to: &output)
        output.append(UInt8(ascii: " "))
        append(months, date.month - 1, to: &output)
        output.append(UInt8(ascii: " "))
        appendTwo(date.year / 100, to: &output)
        appendTwo(date.year % 100, to: &output)
        output.append(UInt8(ascii: " "))
        appendTwo(second / 3600, to: &output)
        output.append(UInt8(ascii: ":"))
        appendTwo(second / 60 % 60, to: &output)
        output.append(UInt8(ascii: ":"))
        appendTwo(second % 60, to: &output)
        output.append(contentsOf: " GMT".utf8)
        return output
    }

    /// Parses the one form that may be sent today (IMF-fixdate); `nil` for anything else.
    package static func parse(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == byteCount, bytes[3] == UInt8(ascii: ","), text.hasSuffix(" GMT"),
            let day = number(bytes[5..<7]), let month = month(bytes[8..<11]),
            let year = number(bytes[12..<16]), let hour = number(bytes[17..<19]),
            let minute = number(bytes[20..<22]), let second = number(bytes[23..<25]),
            (1...31).contains(day), year >= 1970, hour < 24, minute < 60, second <= 60
        else { return nil }
        let days = Int64(days(year: year, month: month, day: day))
        return days * 86400 + Int64(hour * 3600 + minute * 60 + second)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.allSatisfy(Bytes.isDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func month(_ name: ArraySlice<UInt8>) -> Int? {
        (1...12).first { month in
            (0..<3).allSatisfy {
                months.utf8Start[3 * (month - 1) + $0] == name[name.startIndex + $0]
            }
        }
    }

    /// Year, month, day of a day since 1970-01-01 in the Gregorian calendar: eras of 400 years,
    /// counted from the first of March, so that the leap day comes last.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (year + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear % 400
        let shiftedMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * shiftedMonth + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func append(_ names: StaticString, _ index: Int, to output: inout [UInt8]) {
        for offset in 0..<3 { output.append(names.utf8Start[3 * index + offset]) }
    }

    private static func appendTwo(_ value: Int, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "0") + UInt8(value / 10))
        output.append(UInt8(ascii: "0") + UInt8(value % 10))
    }
}

/// The date of the current second, formatted once per second.
package struct HTTPDateCache: Sendable {
    private var seconds: Int64 = -1
    private var date: [UInt8] = []

    package init() {}

    /// The date of `seconds` since 1970.
    package mutating func bytes(_ seconds: Int64) -> [UInt8] {
        if seconds != self.seconds || date.isEmpty {
            self.seconds = seconds
            date = HTTPDate.bytes(seconds)
        }
        return date
    }
}
