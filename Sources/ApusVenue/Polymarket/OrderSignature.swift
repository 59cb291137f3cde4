/// What a signature is bound to: EIP-712's domain of an exchange contract.
struct ExchangeDomain: Equatable {
    var version: String
    var chainID: UInt64
    var contract: EthereumAddress

    private static let type = Keccak256.hash(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    private static let name = Keccak256.hash("Polymarket CTF Exchange")

    var separator: [UInt8] {
        Keccak256.hash(Self.type + Self.name + Keccak256.hash(version) + word(chainID) + contract.word)
    }
}

/// Who holds the money behind a signature, by the venue's numbers.
package enum SignatureType: Int, Sendable, CaseIterable {
    case eoa = 0
    case proxy = 1
    case safe = 2
    /// A deposit wallet, which answers for a nested signature of its owner (EIP-1271, ERC-7739).
    case poly1271 = 3
}

/// The part of an order that is signed.
struct SignedOrder: Equatable {
    var salt: [UInt8]
    var maker: EthereumAddress
    var signer: EthereumAddress
    var tokenID: [UInt8]
    var makerAmount: Int64
    var takerAmount: Int64
    var side: Side
    var signatureType: SignatureType
    /// Milliseconds.
    var timestamp: UInt64
    var metadata: [UInt8]
    var builder: [UInt8]

    static let typeText =
        "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
        + "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
    private static let type = Keccak256.hash(typeText)
    private static let nestedType = Keccak256.hash(
        "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
            + typeText)
    private static let walletName = Keccak256.hash("DepositWallet")
    private static let walletVersion = Keccak256.hash("1")

    var structHash: [UInt8] {
        var text = Self.type + salt + maker.word + signer.word + tokenID
        text += word(UInt64(makerAmount)) + word(UInt64(takerAmount)) + word(UInt64(side.rawValue))
        text += word(UInt64(signatureType.rawValue)) + word(timestamp) + metadata + builder
        return Keccak256.hash(text)
    }

    /// The order's id.
    func hash(_ domain: ExchangeDomain) -> [UInt8] { Keccak256.hash([0x19, 0x01] + domain.separator + structHash) }

    /// What the owner of a deposit wallet signs: the order inside the wallet's own domain, inside the exchange's.
    func nestedHash(_ domain: ExchangeDomain) -> [UInt8] {
        var text = Self.nestedType + structHash + Self.walletName + Self.walletVersion + word(domain.chainID)
        text += signer.word + [UInt8](repeating: 0, count: 32)
        return Keccak256.hash([0x19, 0x01] + domain.separator + Keccak256.hash(text))
    }

    /// Who signed: for a deposit wallet its owner. Nil when the signature says nobody.
    func signer(_ signature: [UInt8], _ domain: ExchangeDomain, _ recovery: SignatureRecovery) -> EthereumAddress? {
        guard signatureType == .poly1271 else { return recovery.signer(of: hash(domain), signature: signature) }
        let type = Array(Self.typeText.utf8)
        let tail = domain.separator + structHash + type + [UInt8(type.count >> 8), UInt8(type.count & 255)]
        guard signature.count == 65 + tail.count, Array(signature[65...]) == tail else { return nil }
        return recovery.signer(of: nestedHash(domain), signature: Array(signature[..<65]))
    }
}

/// The message by which a wallet asks for its API keys.
struct ClobAuth {
    var address: EthereumAddress
    /// Seconds, as they were written.
    var timestamp: String
    var nonce: [UInt8]
    var chainID: UInt64

    private static let domainType = Keccak256.hash("EIP712Domain(string name,string version,uint256 chainId)")
    private static let type = Keccak256.hash("ClobAuth(address address,string timestamp,uint256 nonce,string message)")
    private static let message = Keccak256.hash("This message attests that I control the given wallet")

    var hash: [UInt8] {
        let domain = Keccak256.hash(
            Self.domainType + Keccak256.hash("ClobAuthDomain") + Keccak256.hash("1") + word(chainID))
        let content = Keccak256.hash(
            Self.type + address.word + Keccak256.hash(timestamp) + nonce + Self.message)
        return Keccak256.hash([0x19, 0x01] + domain + content)
    }
}
