/*
 * Copyright (C) The nginx gateway modules authors
 */

/*
 * Verifies passports of the gateway with jose:
 *
 *     node verify.js JWKS_URL ISSUER AUDIENCE [MAX_AGE [COOLDOWN]]
 *
 * Reads one passport a line and prints "ok SUBJECT" or "refused REASON".
 * MAX_AGE and COOLDOWN are seconds, 300 and 10 by default.
 */

import { createInterface } from 'node:readline';

// snippet: begin

import { createLocalJWKSet, jwtVerify } from 'jose';

// The gateway's keys. They are fetched again when they are maxAge old, or a
// kid is unknown, at most once per cooldown; if the gateway does not answer,
// the old ones stay for an hour.

class Keys {
    constructor(url, maxAge = 300, cooldown = 10) {
        Object.assign(this, { url, maxAge, cooldown, kids: new Set(),
                              fetched: -Infinity, tried: -Infinity });
    }

    async get(header, token) {
        const now = performance.now() / 1000;

        if ((!this.kids.has(header.kid) || now - this.fetched >= this.maxAge)
            && now - this.tried >= this.cooldown)
        {
            this.tried = now;
            this.fetching = this.fetch(now).catch(() => {});    // log it
        }

        await this.fetching;

        if (now - this.fetched >= this.maxAge + 3600
            || !this.kids.has(header.kid))
        {
            throw new Error('unknown key');
        }

        return this.local(header, token);
    }

    async fetch(now) {
        const response = await fetch(this.url,
                                     { signal: AbortSignal.timeout(2000) });

        if (!response.ok) {
            throw new Error(`the keys: ${response.status}`);
        }

        const jwks = await response.json();

        this.local = createLocalJWKSet(jwks);
        this.kids = new Set(jwks.keys.map((jwk) => jwk.kid));
        this.fetched = now;
    }
}

// The claims of a passport; throws an error.

async function verify(passport, keys, issuer, audience) {
    const { payload, protectedHeader } = await jwtVerify(
        passport, (header, token) => keys.get(header, token),
        { algorithms: ['ES256', 'EdDSA'], issuer, audience,
          clockTolerance: 5 });

    if (protectedHeader.typ !== 'passport+jwt') {
        throw new Error('not a passport');
    }

    if (typeof payload.sub !== 'string' || payload.exp === undefined
        || payload.nbf === undefined || payload.ver !== 1)
    {
        throw new Error('a claim is missing, or the version unknown');
    }

    return payload;
}

// snippet: end

const args = process.argv.slice(2);

if (args.length < 3 || args.length > 5) {
    console.error('Usage: node verify.js JWKS_URL ISSUER AUDIENCE'
                  + ' [MAX_AGE [COOLDOWN]]');
    process.exit(2);
}

const [url, issuer, audience, ...seconds] = args;
const keys = new Keys(url, ...seconds.map(Number));

for await (const line of createInterface({ input: process.stdin })) {
    try {
        const claims = await verify(line.trim(), keys, issuer, audience);
        console.log('ok', claims.sub);
    } catch (e) {
        console.log('refused', e.message);
    }
}
