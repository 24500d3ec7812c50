# Copyright (C) The nginx gateway modules authors

# Sentinels and a cluster over TLS: it holds for all nodes, their names are
# those they announce, and the way to another master is no way around it.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWE2E;
use GWRedisNodes;
use GWTest;


my $keys = 30;


sub none_found {
    my ($gw, $title, $why) = @_;

    my %seen;

    wait_for(sub {
        $seen{who(look($gw, 1))}++;
        $gw->error_log =~ $why;
    }, "$title: the log to tell why", 60);

    is_deeply([ keys %seen ], ['503 - redis_unavailable'], $title);
}


sub with {
    my ($redis, $code, %arg) = @_;

    my $gw = key_gateway($redis, %arg);

    $code->($gw);
    $gw->stop;
    is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');
}


for my $kind ('sentinel', 'cluster') {
    my $group = GWRedisNodes->new("$kind-tls");
    my $tls = $group->dir . '/tls';
    my $option = $kind eq 'cluster' ? 'cluster' : 'sentinel=gateway';
    my $hosts = 'rediss://127.0.0.1:' . $group->port;
    my $over = sub {
        my $old = shift;
        my $new = $group->master($kind eq 'cluster' ? slot_of(1) : ());
        return $new && $new->port != $old->port;
    };

    save_keys(sub {
        ($group->master // $group)->command('-c', @_);
    }, $keys);

    with("$hosts $option ca=$tls/ca.pem timeout=2s", sub {
        my ($gw) = @_;

        all_found($gw, $keys, $kind);

        my $old = $group->master($kind eq 'cluster' ? slot_of(1) : ());

        disturb($gw, "$kind, killed", $keys, sub { $old->signal('KILL') },
                sub { $over->($old) });
        all_found($gw, $keys, "$kind, killed");

        $old->start;
        $group->wait_well;
    }, name => "$kind-good");

    with("$hosts $option timeout=2s", sub {
        none_found($_[0], "$kind, an authority that nobody knows",
                   qr/gw redis: .* certificate that can't be trusted/);
    }, name => "$kind-authority");

    with("$hosts $option ca=$tls/ca.pem server_name=another.example "
         . 'timeout=2s', sub {
        none_found($_[0], "$kind, the name of somebody else",
                   qr/gw redis: .* certificate for another name/);
    }, name => "$kind-name");

    # who has no certificate is refused after the handshake

    $_->command(qw(CONFIG SET tls-auth-clients yes)) for $group->nodes;

    with("$hosts $option ca=$tls/ca.pem certificate=$tls/client.pem "
         . "certificate_key=$tls/client.key timeout=2s", sub {
        all_found($_[0], $keys, "$kind, with a certificate");
    }, name => "$kind-certificate");

    with("$hosts $option ca=$tls/ca.pem timeout=2s", sub {
        none_found($_[0], "$kind, without one", qr/gw redis: /);
    }, name => "$kind-none");

    $group->stop;
}

done_testing();
