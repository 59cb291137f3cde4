import CApusProtocol
import Glibc

/// A wallet's private key, ready to sign. Its secret is wiped when it goes.
///
/// Unchecked: after the start nothing of it changes, and a signature takes memory of its own stack alone.
package final class PolymarketKey: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<apus_signing_key>
    /// The wallet's address, with the capitals of EIP-55.
    package let address: String

    /// From 64 hexadecimal digits, with or without `0x` before them. The error repeats nothing of the text.
    package init(_ text: String) throws(LiveError) {
        let digits = text.hasPrefix("0x") ? text : "0x" + text
        var secret = [UInt8](repeating: 0, count: Int(APUS_SECRET_BYTES))
        var system = SystemRandomNumberGenerator()
        let entropy = (0..<32).map { _ in UInt8.random(in: 0...255, using: &system) }
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: apus_signing_key())
        var result = apus_hex_parse(digits, digits.utf8.count, &secret, secret.count)
        if result == 0 { result = apus_signing_key_init(pointer, secret, entropy) }
        for place in secret.indices { secret[place] = 0 }
        guard result == 0 else {
            pointer.deallocate()
            throw LiveError("the private key is none: it must be 64 hexadecimal digits of a secp256k1 secret")
        }
        address = addressText(withUnsafeBytes(of: &pointer.pointee.address) { Array($0) })
    }

    deinit {
        apus_signing_key_wipe(pointer)
        pointer.deallocate()
    }

    /// The signature of ClobAuth (level 1), with which API keys are made and derived.
    package func authSignature(chain: UInt64, timestamp: UInt64, nonce: UInt64) -> String {
        var signature = [UInt8](repeating: 0, count: Int(APUS_SIGNATURE_BYTES))
        apus_polymarket_auth_sign(pointer, chain, timestamp, nonce, &signature)
        return hexText(signature)
    }
}

/// An order's hash, which is its id, and its signature.
package struct PolymarketSignature: Sendable, Equatable {
    package let hash: String
    package let signature: String
}

/// An order with the fields of the contract's type, as texts: numbers in decimal, addresses and words in hexadecimal.
package struct PolymarketTypedOrder: Sendable {
    /// A field that is not what its type allows.
    package struct FieldError: Error, Equatable {
        package let field: String
        package let problem: String

        package init(field: String, problem: String) {
            self.field = field
            self.problem = problem
        }
    }

    /// The fields in the order of the type, which is that of `apus_polymarket_order_field`.
    package static let fields = [
        "salt", "maker", "signer", "tokenId", "makerAmount", "takerAmount", "side", "signatureType", "timestamp",
        "metadata", "builder",
    ]

    private var order = apus_polymarket_typed_order()
    package private(set) var signatureType = 0
    /// The address that signs, or the wallet in whose name is signed.
    package private(set) var signer = ""

    /// - Parameter text: a field's text by its name.
    package init(_ text: (String) throws(FieldError) -> String) throws(FieldError) {
        for (index, field) in Self.fields.enumerated() {
            let value = try text(field)
            let word: [UInt8] =
                switch field {
                case "maker", "signer": try Self.address(value, field)
                case "metadata", "builder": try Self.hex(value, field, count: 32)
                case "side": try Self.side(value)
                case "signatureType": try Self.type(value)
                default: try Self.number(value, field)
                }
            withUnsafeMutableBytes(of: &order) { bytes in
                UnsafeMutableRawBufferPointer(rebasing: bytes[(index * 32)..<(index * 32 + 32)]).copyBytes(from: word)
            }
            if field == "signatureType" { signatureType = Int(word[31]) }
            if field == "signer" { signer = addressText(Array(word[12...])) }
        }
    }

    /// The hash and the signature for an exchange contract.
    package func signed(
        by key: PolymarketKey, domain name: String, version: String, chain: UInt64, contract: String
    ) throws(FieldError) -> PolymarketSignature {
        let contract = try Self.hex(contract, "verifyingContract", count: Int(APUS_ADDRESS_BYTES))
        var exchange = apus_polymarket_exchange()
        apus_polymarket_exchange_init(&exchange, name, version, chain, contract)
        var order = order
        var hash = [UInt8](repeating: 0, count: 32)
        apus_polymarket_order_hash(&exchange, &order, &hash)
        let signature = [UInt8](unsafeUninitializedCapacity: Int(APUS_POLYMARKET_SIGNATURE_BYTES)) { buffer, count in
            count = buffer.baseAddress.map { apus_polymarket_order_sign(key.pointer, &exchange, &order, hash, $0) } ?? 0
        }
        return PolymarketSignature(hash: hexText(hash), signature: hexText(signature))
    }

    private static func number(_ text: String, _ field: String) throws(FieldError) -> [UInt8] {
        var word = [UInt8](repeating: 0, count: 32)
        switch apus_word_parse(text, text.utf8.count, &word) {
        case 0: return word
        case -ERANGE: throw FieldError(field: field, problem: "\(text) is above 2^256 - 1")
        default: throw FieldError(field: field, problem: "\"\(text)\" is no whole number in decimal digits")
        }
    }

    private static func hex(_ text: String, _ field: String, count: Int) throws(FieldError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard apus_hex_parse(text, text.utf8.count, &bytes, count) == 0 else {
            throw FieldError(field: field, problem: "\"\(text)\" is not 0x and \(2 * count) hexadecimal digits")
        }
        return bytes
    }

    private static func address(_ text: String, _ field: String) throws(FieldError) -> [UInt8] {
        [UInt8](repeating: 0, count: 12) + (try hex(text, field, count: Int(APUS_ADDRESS_BYTES)))
    }

    private static func side(_ text: String) throws(FieldError) -> [UInt8] {
        switch text {
        case "BUY", "0": return try number("0", "side")
        case "SELL", "1": return try number("1", "side")
        default: throw FieldError(field: "side", problem: "\"\(text)\" is neither BUY nor SELL")
        }
    }

    private static func type(_ text: String) throws(FieldError) -> [UInt8] {
        guard ["0", "1", "2", "3"].contains(text) else {
            throw FieldError(
                field: "signatureType",
                problem: "\"\(text)\" is none of 0 (EOA), 1 (proxy), 2 (Safe) and 3 (POLY_1271)")
        }
        return try number(text, "signatureType")
    }
}

/// `0x` and the digits.
func hexText(_ bytes: [UInt8]) -> String {
    let digits = [CChar](unsafeUninitializedCapacity: 2 * bytes.count) { buffer, count in
        if let start = buffer.baseAddress { apus_hex_write(bytes, bytes.count, start) }
        count = 2 * bytes.count
    }
    return "0x" + String(decoding: digits.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// An address with the capitals of its checksum.
func addressText(_ address: [UInt8]) -> String {
    let text = [CChar](unsafeUninitializedCapacity: Int(APUS_ADDRESS_TEXT_BYTES)) { buffer, count in
        if let start = buffer.baseAddress { apus_address_write(address, start) }
        count = Int(APUS_ADDRESS_TEXT_BYTES)
    }
    return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
