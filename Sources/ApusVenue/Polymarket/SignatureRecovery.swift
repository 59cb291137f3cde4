import CSecp256k1

/// Finds out who signed: the public key of a 65-byte signature over a hash, by libsecp256k1.
final class SignatureRecovery {
    private let context: OpaquePointer

    init() {
        let uses = UInt32(SECP256K1_CONTEXT_VERIFY) | UInt32(SECP256K1_CONTEXT_SIGN)
        guard let context = secp256k1_context_create(uses) else {
            fatalError("libsecp256k1 made no context: out of memory")
        }
        self.context = context
    }

    deinit { secp256k1_context_destroy(context) }

    /// - Parameters:
    ///   - signature: `r`, `s` and `v`; `v` is 27 or 28, or 0 or 1.
    ///   - hash: Thirty-two bytes.
    /// - Returns: Nil when the signature is none, or is one that the contracts refuse because its `s` is in the upper half.
    func signer(of hash: [UInt8], signature: [UInt8]) -> EthereumAddress? {
        guard signature.count == 65, hash.count == 32 else { return nil }
        let recovery = signature[64] >= 27 ? Int32(signature[64]) - 27 : Int32(signature[64])
        guard recovery == 0 || recovery == 1 else { return nil }
        var parsed = secp256k1_ecdsa_recoverable_signature()
        guard secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, signature, recovery) == 1 else {
            return nil
        }
        var plain = secp256k1_ecdsa_signature()
        secp256k1_ecdsa_recoverable_signature_convert(context, &plain, &parsed)
        guard secp256k1_ecdsa_signature_normalize(context, nil, &plain) == 0 else { return nil }
        var key = secp256k1_pubkey()
        guard secp256k1_ecdsa_recover(context, &key, &parsed, hash) == 1 else { return nil }
        return address(&key)
    }

    /// The address of a private key; nil for thirty-two bytes that are none.
    func address(privateKey: [UInt8]) -> EthereumAddress? {
        var key = secp256k1_pubkey()
        guard privateKey.count == 32, secp256k1_ec_pubkey_create(context, &key, privateKey) == 1 else { return nil }
        return address(&key)
    }

    private func address(_ key: inout secp256k1_pubkey) -> EthereumAddress {
        var text = [UInt8](repeating: 0, count: 65)
        var length = text.count
        secp256k1_ec_pubkey_serialize(context, &text, &length, &key, UInt32(SECP256K1_EC_UNCOMPRESSED))
        return EthereumAddress(publicKey: Array(text[1...]))
    }
}

extension EthereumAddress {
    /// The address of a private key, `0x` and 64 hexadecimal digits; nil for a text that is none.
    package static func ofPrivateKey(_ text: String) -> EthereumAddress? {
        hexBytes(text).flatMap { SignatureRecovery().address(privateKey: $0) }
    }
}
