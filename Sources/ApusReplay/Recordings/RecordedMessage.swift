/// One message of a recording: a stream message or a REST body, as its bytes came.
package struct RecordedMessage {
    /// What the bytes are.
    package enum Kind: UInt8, Sendable {
        /// One message of a stream.
        case stream = 1
        /// A REST body: an order book snapshot.
        case snapshot = 2
    }

    package var kind: Kind
    /// When it was received: nanoseconds on the recording's own scale. Never before the message ahead of it.
    package var time: UInt64
    /// The kernel's stamp on the same scale; 0 where there is none.
    package var kernelTime: UInt64 = 0
    /// The connection it came on.
    package var connection: UInt16 = 0
    /// What a snapshot is of, where the recording says so.
    package var symbol: String?
    /// Its bytes, with `APUS_PADDING` readable bytes behind them; valid until the reader's next call.
    package var bytes: UnsafeRawBufferPointer
    package var place: RecordingPlace
}

/// Where in a recording something stands.
package struct RecordingPlace: Equatable, Sendable, CustomStringConvertible {
    package enum Unit: String, Sendable {
        case line
        case element
        case offset
    }

    package var file: String
    package var unit: Unit
    package var number: Int

    package init(file: String, unit: Unit, number: Int) {
        self.file = file
        self.unit = unit
        self.number = number
    }

    package var description: String {
        switch unit {
        case .line: "\(file), line \(number)"
        case .element: "\(file), element \(number)"
        case .offset: "\(file), byte \(number)"
        }
    }
}

/// Gives a recording's messages in the order of their times.
package protocol RecordingReader: AnyObject {
    /// The next message; nil at the end.
    func next() throws -> RecordedMessage?
    /// What was found at the end of a recording that is not whole, in words; nil when it is.
    var tail: String? { get }
}

extension RecordingReader {
    package var tail: String? { nil }
}

/// Why a recording cannot be read. It names the place.
package enum RecordingError: Error, Equatable, Sendable, CustomStringConvertible {
    case system(path: String, code: Int32)
    case unknownForm(path: String, found: String)
    case empty(path: String)
    case gzip(path: String, offset: Int, reason: String)
    case malformed(RecordingPlace, String)

    package var description: String {
        switch self {
        case .system(let path, let code): "\(path): \(systemText(code))"
        case .unknownForm(let path, let found):
            "\(path): not a recording: it begins with \(found); known are lines `<local_ns> <raw JSON>` (gzip or plain), a folder "
                + "with *.http.* and *.ws.* files, a JSON array of messages, and captures of `apus record`"
        case .empty(let path): "\(path): the recording is empty"
        case .gzip(let path, let offset, let reason): "\(path), compressed byte \(offset): \(reason)"
        case .malformed(let place, let reason): "\(place): \(reason)"
        }
    }
}
