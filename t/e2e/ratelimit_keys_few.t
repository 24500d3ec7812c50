# Copyright (C) The nginx gateway modules authors

# t/soak/ratelimit_keys.t with as many callers as take some seconds.

use strict;
use warnings;

use GWTest;


$ENV{GW_SOAK_KEYS} = 100_000;

do "$GWTest::ROOT/t/soak/ratelimit_keys.t" // die $@ || $!;
