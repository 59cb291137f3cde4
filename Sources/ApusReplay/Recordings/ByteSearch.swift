import Glibc

extension UnsafeRawBufferPointer {
    /// Where a text stands first; nil when it is not there.
    func offset(of text: StaticString) -> Int? {
        let length = text.utf8CodeUnitCount
        guard let baseAddress, length > 0, count >= length else { return nil }
        var at = 0
        while at <= count - length {
            let last = count - length + 1
            guard let found = memchr(baseAddress + at, Int32(text.utf8Start[0]), last - at) else { return nil }
            at = UnsafeRawPointer(found) - baseAddress
            if memcmp(baseAddress + at, text.utf8Start, length) == 0 { return at }
            at += 1
        }
        return nil
    }

    func contains(_ text: StaticString) -> Bool { offset(of: text) != nil }
}
