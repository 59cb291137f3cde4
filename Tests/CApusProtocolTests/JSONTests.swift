import CApusProtocol
import Testing

@Suite struct JSONTests {
    /// The tokens of a text, written shortly; an error as its fault and byte offset.
    private func tokens(_ text: [UInt8]) -> [String] {
        var json = apus_json()
        var found: [String] = []
        text.withUnsafeBufferPointer { bytes in
            apus_json_init(&json, bytes.baseAddress, bytes.count)
            while true {
                let token = apus_json_next(&json)
                if token == APUS_JSON_END { return }
                if token == APUS_JSON_ERROR {
                    found.append("error \(json.fault) at \(json.error_offset)")
                    return
                }
                found.append(name(token, &json))
            }
        }
        return found
    }

    private func name(_ token: apus_json_token, _ json: inout apus_json) -> String {
        switch token {
        case APUS_JSON_OBJECT_BEGIN: return "{"
        case APUS_JSON_OBJECT_END: return "}"
        case APUS_JSON_ARRAY_BEGIN: return "["
        case APUS_JSON_ARRAY_END: return "]"
        case APUS_JSON_KEY: return text(&json) + ":"
        case APUS_JSON_STRING: return "'" + text(&json) + "'"
        case APUS_JSON_TRUE: return "true"
        case APUS_JSON_FALSE: return "false"
        case APUS_JSON_NULL: return "null"
        default: return text(&json)
        }
    }

    private func text(_ json: inout apus_json) -> String {
        var scratch = [UInt8](repeating: 0, count: 256)
        let capacity = scratch.count
        return scratch.withUnsafeMutableBufferPointer { space in
            var start: UnsafePointer<UInt8>?
            var length = 0
            guard apus_json_text(&json, space.baseAddress, capacity, &start, &length) == 0 else { return "too long" }
            return String(decoding: UnsafeBufferPointer(start: start, count: length), as: UTF8.self)
        }
    }

    private func tokens(_ text: String) -> [String] { tokens(Array(text.utf8)) }

    @Test func everyKindOfValue() {
        let text = " {\"a\" : [1,-2.5e+3 ,true,false,null, \"x\"],\"b\":{ },\"c\":[ ]}\r\n\t"
        let expected = [
            "{", "a:", "[", "1", "-2.5e+3", "true", "false", "null", "'x'", "]", "b:", "{", "}", "c:", "[", "]", "}",
        ]
        #expect(tokens(text) == expected)
        #expect(tokens("7") == ["7"])
        #expect(tokens("\"\"") == ["''"])
    }

    @Test(arguments: [
        ("\"\\u0041\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "A\n\t\"\\/\u{8}\u{c}\r"), ("\"\\u00e9\\u20ac\"", "é€"),
        ("\"\\ud83d\\ude00\"", "😀"), ("\"\\ud83d\"", "\u{FFFD}"), ("\"\\ude00x\"", "\u{FFFD}x"),
        ("\"\\ud83d\\u0041\"", "\u{FFFD}A"), ("\"é€😀\"", "é€😀"), ("\"\\u0000\"", "\0"),
    ])
    func escapesAreDecoded(text: String, decoded: String) {
        #expect(tokens(text) == ["'" + decoded + "'"])
    }

    @Test(arguments: [
        ("", APUS_JSON_FAULT_TRUNCATED, 0), ("{", APUS_JSON_FAULT_TRUNCATED, 1), ("[1", APUS_JSON_FAULT_TRUNCATED, 2),
        ("{\"a\"", APUS_JSON_FAULT_TRUNCATED, 4), ("\"a", APUS_JSON_FAULT_TRUNCATED, 2),
        ("tru", APUS_JSON_FAULT_TRUNCATED, 3),
        ("{\"a\":1,}", APUS_JSON_FAULT_UNEXPECTED, 7), ("[1,]", APUS_JSON_FAULT_UNEXPECTED, 3),
        ("[,1]", APUS_JSON_FAULT_UNEXPECTED, 1), ("{1:2}", APUS_JSON_FAULT_UNEXPECTED, 1),
        ("{\"a\" 1}", APUS_JSON_FAULT_UNEXPECTED, 5), ("[1 2]", APUS_JSON_FAULT_UNEXPECTED, 3),
        ("[1}", APUS_JSON_FAULT_UNEXPECTED, 2), ("nulx", APUS_JSON_FAULT_UNEXPECTED, 3),
        ("'a'", APUS_JSON_FAULT_UNEXPECTED, 0), ("\u{FEFF}1", APUS_JSON_FAULT_UNEXPECTED, 0),
        ("01", APUS_JSON_FAULT_NUMBER, 1), ("-x", APUS_JSON_FAULT_NUMBER, 1), ("1.x", APUS_JSON_FAULT_NUMBER, 2),
        ("1.", APUS_JSON_FAULT_TRUNCATED, 2), ("[1e]", APUS_JSON_FAULT_NUMBER, 3),
        ("[.5]", APUS_JSON_FAULT_UNEXPECTED, 1),
        ("\"\\x\"", APUS_JSON_FAULT_ESCAPE, 2), ("\"\\u12g4\"", APUS_JSON_FAULT_ESCAPE, 5),
        ("\"\\u12", APUS_JSON_FAULT_TRUNCATED, 5), ("\"a\nb\"", APUS_JSON_FAULT_CONTROL, 2),
        ("1 2", APUS_JSON_FAULT_TRAILING, 2), ("{}x", APUS_JSON_FAULT_TRAILING, 2),
        ("\"\\", APUS_JSON_FAULT_TRUNCATED, 2),
    ])
    func badTextsAreRefusedWithTheirPlace(text: String, fault: apus_json_fault, offset: Int) {
        #expect(tokens(text).last == "error \(fault.rawValue) at \(offset)")
    }

    @Test func nestingHasALimit() {
        let limit = Int(APUS_JSON_DEPTH_MAX)
        let fitting = String(repeating: "[", count: limit) + String(repeating: "]", count: limit)
        #expect(tokens(fitting).count == 2 * limit)
        #expect(tokens("[" + fitting + "]").last == "error \(APUS_JSON_FAULT_DEPTH.rawValue) at \(limit)")
    }

    @Test func everyTruncationIsAnError() {
        let text = Array("{\"a\":[1,{\"b\":\"c\\u0041\"},-1.5e3,true]}".utf8)
        for length in 0..<text.count {
            let last = tokens(Array(text.prefix(length))).last ?? ""
            #expect(last.hasPrefix("error"), "cut at \(length)")
        }
    }

    @Test func valuesAreSkippedWhole() {
        var json = apus_json()
        let text = Array("{\"a\":{\"b\":[1,[2]]},\"c\":3,\"d\":4}".utf8)
        text.withUnsafeBufferPointer { bytes in
            apus_json_init(&json, bytes.baseAddress, bytes.count)
            #expect(apus_json_next(&json) == APUS_JSON_OBJECT_BEGIN)
            #expect(apus_json_next(&json) == APUS_JSON_KEY)
            #expect(apus_json_skip(&json, APUS_JSON_KEY))
            #expect(apus_json_next(&json) == APUS_JSON_KEY)
            #expect(apus_json_equals(&json, "c", 1))
            #expect(!apus_json_equals(&json, "cc", 2))
            #expect(apus_json_skip(&json, apus_json_next(&json)))
            #expect(apus_json_next(&json) == APUS_JSON_KEY)
            #expect(apus_json_next(&json) == APUS_JSON_NUMBER)
            #expect(apus_json_next(&json) == APUS_JSON_OBJECT_END)
            #expect(apus_json_next(&json) == APUS_JSON_END)
        }
    }

    @Test func anErrorStays() {
        var json = apus_json()
        let text = Array("[1,}".utf8)
        text.withUnsafeBufferPointer { bytes in
            apus_json_init(&json, bytes.baseAddress, bytes.count)
            #expect(!apus_json_skip(&json, apus_json_next(&json)))
            #expect(apus_json_next(&json) == APUS_JSON_ERROR)
            #expect(json.error_offset == 3)
        }
    }

    @Test func decodedTextHasToFit() {
        let raw = Array("\\u20ac\\u20ac".utf8)
        var out = [UInt8](repeating: 0, count: 8)
        #expect(apus_json_unescape(raw, raw.count, &out, 6) == 6)
        #expect(apus_json_unescape(raw, raw.count, &out, 5) == -Int64(ENOBUFS))
    }
}
