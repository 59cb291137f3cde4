import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A certificate authority and a server certificate for 127.0.0.1 and localhost, made at start and forgotten at the end.
struct TestIdentity {
    private let authority: Certificate
    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    static func make() throws -> TestIdentity {
        let authorityKey = P256.Signing.PrivateKey()
        let serverKey = P256.Signing.PrivateKey()
        let authorityName = try DistinguishedName { CommonName("Apus loopback venue CA") }
        let serverName = try DistinguishedName { CommonName("127.0.0.1") }
        let authorityPublic = Certificate.PublicKey(authorityKey.publicKey)
        let identifier = SubjectKeyIdentifier(hash: authorityPublic)
        let from = Date.now - 3600
        let until = Date.now + 30 * 24 * 3600
        let authority = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: authorityPublic, notValidBefore: from,
            notValidAfter: until, issuer: authorityName, subject: authorityName, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                identifier
            },
            issuerPrivateKey: Certificate.PrivateKey(authorityKey))
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(serverKey.publicKey), notValidBefore: from, notValidAfter: until,
            issuer: authorityName, subject: serverName, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames([
                    .dnsName("localhost"), .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                ])
                AuthorityKeyIdentifier(keyIdentifier: identifier.keyIdentifier)
            },
            issuerPrivateKey: Certificate.PrivateKey(authorityKey))
        return TestIdentity(authority: authority, certificate: certificate, key: serverKey)
    }

    /// Writes the authority's certificate as PEM.
    func writeAuthority(to path: String) throws {
        try authority.serializeAsPEM().pemString.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// TLS 1.2 and later with this identity.
    func serverContext() throws -> NIOSSLContext {
        let chain = try [certificate, authority].map {
            NIOSSLCertificateSource.certificate(
                try NIOSSLCertificate(bytes: Array($0.serializeAsPEM().pemString.utf8), format: .pem))
        }
        let privateKey = try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: configuration)
    }
}
