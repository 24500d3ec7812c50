// Copyright (C) The nginx gateway modules authors

// Verifies passports of the gateway with golang-jwt:
//
//	verify JWKS_URL ISSUER AUDIENCE [MAX_AGE [COOLDOWN]]
//
// Reads one passport a line and prints "ok SUBJECT" or "refused REASON".
// MAX_AGE and COOLDOWN are seconds, 300 and 10 by default.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// snippet: begin

// Keys are the gateway's keys. They are fetched again when they are MaxAge
// old, or a kid is unknown, at most once per Cooldown; if the gateway does not
// answer, the old ones stay for an hour.
type Keys struct {
	URL              string
	MaxAge, Cooldown time.Duration

	mutex          sync.Mutex
	keys           map[string]any
	fetched, tried time.Time
}

func (k *Keys) get(kid string) (any, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()

	_, known := k.keys[kid]

	if (!known || time.Since(k.fetched) >= k.MaxAge) &&
		time.Since(k.tried) >= k.Cooldown {
		k.tried = time.Now()
		if keys, err := k.fetch(); err == nil { // else log it
			k.keys, k.fetched = keys, k.tried
		}
	}

	key, known := k.keys[kid]

	if !known || time.Since(k.fetched) >= k.MaxAge+time.Hour {
		return nil, errors.New("unknown key")
	}
	return key, nil
}

func (k *Keys) fetch() (map[string]any, error) {
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get(k.URL)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()

	var set struct {
		Keys []struct{ Kty, Crv, Kid, X, Y string }
	}

	body := json.NewDecoder(io.LimitReader(response.Body, 1<<18))
	if err := body.Decode(&set); err != nil {
		return nil, err
	}
	if response.StatusCode != 200 || set.Keys == nil {
		return nil, errors.New("no key set")
	}

	keys := map[string]any{}

	for _, j := range set.Keys {
		x, _ := base64.RawURLEncoding.DecodeString(j.X)
		y, _ := base64.RawURLEncoding.DecodeString(j.Y)

		switch {
		case j.Kty == "EC" && j.Crv == "P-256":
			key := &ecdsa.PublicKey{Curve: elliptic.P256(),
				X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
			if key.Curve.IsOnCurve(key.X, key.Y) {
				keys[j.Kid] = key
			}
		case j.Kty == "OKP" && j.Crv == "Ed25519" && len(x) == 32:
			keys[j.Kid] = ed25519.PublicKey(x)
		}
	}
	return keys, nil
}

// Claims of a passport; there are more.
type Claims struct {
	jwt.RegisteredClaims
	Version int    `json:"ver"`
	Tier    string `json:"tier"`
	Scope   string `json:"scope"`
}

// Validate is called by the parser in addition to its own checks.
func (c Claims) Validate() error {
	if c.Version != 1 || c.Subject == "" || c.NotBefore == nil {
		return errors.New("a claim is missing, or the version unknown")
	}
	return nil
}

func verify(passport string, keys *Keys, issuer, audience string) (
	*Claims, error) {
	claims := &Claims{}
	_, err := jwt.ParseWithClaims(passport, claims,
		func(t *jwt.Token) (any, error) {
			if t.Header["typ"] != "passport+jwt" {
				return nil, errors.New("not a passport")
			}
			kid, _ := t.Header["kid"].(string)
			return keys.get(kid)
		},
		jwt.WithValidMethods([]string{"ES256", "EdDSA"}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(5*time.Second),
		jwt.WithStrictDecoding())
	return claims, err
}

// snippet: end

func main() {
	seconds := []int{300, 10}

	if len(os.Args) < 4 || len(os.Args) > 6 {
		fmt.Fprintln(os.Stderr,
			"Usage: verify JWKS_URL ISSUER AUDIENCE [MAX_AGE [COOLDOWN]]")
		os.Exit(2)
	}
	for i, arg := range os.Args[4:] {
		seconds[i], _ = strconv.Atoi(arg)
	}

	keys := &Keys{URL: os.Args[1],
		MaxAge:   time.Duration(seconds[0]) * time.Second,
		Cooldown: time.Duration(seconds[1]) * time.Second}

	lines := bufio.NewReader(os.Stdin)

	for {
		line, err := lines.ReadString('\n')
		if line == "" && err != nil {
			return
		}

		claims, err := verify(strings.TrimSpace(line), keys, os.Args[2],
			os.Args[3])
		if err != nil {
			fmt.Println("refused", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok", claims.Subject)
		}
	}
}
