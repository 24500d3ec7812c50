/*
 * Copyright (C) The nginx gateway modules authors
 */

/*
 * Verifies passports of the gateway with Nimbus JOSE+JWT:
 *
 *     java Verify JWKS_URL ISSUER AUDIENCE [MAX_AGE [COOLDOWN]]
 *
 * Reads one passport a line and prints "ok SUBJECT" or "refused REASON".
 * MAX_AGE and COOLDOWN are seconds, 300 and 10 by default.
 */

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URL;
import java.text.ParseException;
import java.util.Set;

public class Verify {

    // snippet: begin

    private final DefaultJWTProcessor<SecurityContext> processor
        = new DefaultJWTProcessor<>();

    // The gateway's keys are fetched again when they are maxAge old, or a kid
    // is unknown, at most twice per cooldown; if the gateway does not answer,
    // the old ones stay for an hour. Times are milliseconds.

    Verify(URL url, String issuer, String audience, long maxAge,
        long cooldown)
    {
        JWKSource<SecurityContext> keys = JWKSourceBuilder
            .create(url, new DefaultResourceRetriever(2000, 2000, 1 << 18))
            .cache(maxAge, 2000)
            .refreshAheadCache(false)
            .rateLimited(cooldown)
            .outageTolerant(maxAge + 3600_000)
            .build();

        // typ, and the algorithm, which the header must not choose

        processor.setJWSTypeVerifier((type, context) -> {
            if (type == null || !type.getType().equals("passport+jwt")) {
                throw new BadJOSEException("not a passport");
            }
        });

        processor.setJWSKeySelector(
            new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, keys));

        DefaultJWTClaimsVerifier<SecurityContext> claims
            = new DefaultJWTClaimsVerifier<>(audience,
                new JWTClaimsSet.Builder().issuer(issuer).claim("ver", 1L)
                    .build(),
                Set.of("sub", "exp", "nbf"));

        claims.setMaxClockSkew(5);
        processor.setJWTClaimsSetVerifier(claims);
    }

    JWTClaimsSet verify(String passport)
        throws ParseException, BadJOSEException, JOSEException
    {
        return processor.process(passport, null);
    }

    // snippet: end

    public static void main(String[] args) throws IOException {
        if (args.length < 3 || args.length > 5) {
            System.err.println("Usage: java Verify JWKS_URL ISSUER AUDIENCE"
                               + " [MAX_AGE [COOLDOWN]]");
            System.exit(2);
        }

        long maxAge = args.length > 3 ? Long.parseLong(args[3]) : 300;
        long cooldown = args.length > 4 ? Long.parseLong(args[4]) : 10;

        Verify verifier = new Verify(new URL(args[0]), args[1], args[2],
                                     maxAge * 1000, cooldown * 1000);

        BufferedReader lines
            = new BufferedReader(new InputStreamReader(System.in));

        for (String line; (line = lines.readLine()) != null; ) {
            try {
                JWTClaimsSet claims = verifier.verify(line.trim());
                System.out.println("ok " + claims.getSubject());

            } catch (ParseException | BadJOSEException | JOSEException e) {
                System.out.println("refused " + e);
            }
        }
    }
}
