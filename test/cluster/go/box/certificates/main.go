// Makes an authority and certificates that it signs, for one cluster that lives for hours.
//
// Standard input: a JSON list of {name, commonName, organization, hosts}. Into the folder that is the only argument go
// ca.crt, and for each one NAME.crt and NAME.key. The key of the authority is forgotten.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type wanted struct {
	Name         string   `json:"name"`
	CommonName   string   `json:"commonName"`
	Organization string   `json:"organization"`
	Hosts        []string `json:"hosts"`
}

const lifetime = 30 * 24 * time.Hour

func main() {
	log.SetFlags(0)
	var list []wanted
	check(json.NewDecoder(os.Stdin).Decode(&list))
	folder := os.Args[1]
	authority := template(wanted{CommonName: "rouse-cluster"})
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	authority.KeyUsage |= x509.KeyUsageCertSign
	key := newKey()
	write(folder, "ca.crt", "CERTIFICATE", sign(authority, authority, key, key), 0o644)
	for _, one := range list {
		own := newKey()
		write(folder, one.Name+".crt", "CERTIFICATE", sign(template(one), authority, own, key), 0o644)
		bytes, err := x509.MarshalPKCS8PrivateKey(own)
		check(err)
		write(folder, one.Name+".key", "PRIVATE KEY", bytes, 0o600)
	}
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	return key
}

func template(one wanted) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(err)
	made := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: one.CommonName},
		// A clock that is set back a little does no harm.
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if one.Organization != "" {
		made.Subject.Organization = []string{one.Organization}
	}
	for _, host := range one.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			made.IPAddresses = append(made.IPAddresses, ip)
		} else {
			made.DNSNames = append(made.DNSNames, host)
		}
	}
	return made
}

func sign(made, issuer *x509.Certificate, own, key *ecdsa.PrivateKey) []byte {
	bytes, err := x509.CreateCertificate(rand.Reader, made, issuer, &own.PublicKey, key)
	check(err)
	return bytes
}

func write(folder, name, kind string, bytes []byte, mode os.FileMode) {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})
	check(os.WriteFile(filepath.Join(folder, name), text, mode))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
