# Copyright (C) The nginx gateway modules authors

# A journal that is full, since Kafka does not come back: events are dropped
# and counted, or requests are refused.  When it is back, all else arrives.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(sleep time);

use Test::Nginx::Socket 'no_plan';
use GwUsage;

GwUsage::start_kafka();


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('request', "GET /none\n");
    $block->set_value('response_body_like', 'GIF');
    $block->set_value('no_error_log', '[alert]');
    $block->set_value('user_files', ">>> t.txt\nhello\n>>> page\nsorry\n");

    $block->set_value('http_config', <<'END' . GwJournal::directive(
    gw_usage_kafka      $TEST_NGINX_KAFKA topic=gw.usage;
    gw_usage_kafka_set  reconnect.backoff.ms      10;
    gw_usage_kafka_set  reconnect.backoff.max.ms  100;
END
        $block->journal));

    $block->set_value('config', ($block->config // '') . <<'END');
    location = /t.txt {
        gw_usage        on;
        gw_usage_api    $arg_n;
        gw_usage_field  padding $http_x_padding;
        gw_usage_field  more    $http_x_padding;
        gw_usage_field  rest    $http_x_padding;
    }
    location = /slow {
        gw_usage        on;
        gw_usage_api    slow;
        gw_usage_field  padding $http_x_padding;
        proxy_pass      http://127.0.0.1:1;
    }
    location = /none {
        empty_gif;
    }
    location = /metrics {
        gw_metrics;
    }
END
});

add_response_body_check(sub {
    my $block = shift;

    $block->scene->($block);
});


sub get {
    my ($uri) = @_;

    my $sock = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port()) or die "client: $!\n";

    print $sock "GET $uri HTTP/1.0\r\nX-Padding: " . 'p' x 1000 . "\r\n\r\n";

    return do { local $/; <$sock> } // '';
}


# a request that is at work until the rest of it comes

sub hold {
    my ($uri) = @_;

    my $sock = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port()) or die "client: $!\n";

    print $sock "POST $uri HTTP/1.0\r\nContent-Length: 10\r\nX-Padding: "
                . 'p' x 1000 . "\r\n\r\nhalf";

    return $sock;
}


sub finish {
    my ($sock) = @_;

    print $sock ' ended';

    return do { local $/; <$sock> } // '';
}


sub metric {
    my ($name) = @_;

    return get('/metrics') =~ /^$name (\d+)$/m ? $1 : "no $name";
}


# the workers' counters are written every second

sub wait_metric {
    my ($name, $least) = @_;

    my $end = time() + 120;

    sleep 0.05 while metric($name) < $least && time() < $end;

    return metric($name);
}


# api => event, and the marks, when all apis are there

sub events {
    my @apis = @_;

    my $end = time() + 120;

    while (1) {
        my (%events, @marks);

        for my $line (GwUsage::kafka_messages('%s\n')) {
            my $event = decode_json($line);

            if ($event->{type} eq 'gw.usage.mark.v1') {
                push @marks, $event;

            } else {
                $events{ $event->{data}{api} } = $event;
            }
        }

        my @missing = grep { !$events{$_} } @apis;

        return (\%events, \@marks) if !@missing;
        die "missing: @missing\n" if time() > $end;

        sleep 0.05;
    }
}


sub sequence {
    return shift->{id} =~ /-(\d+)$/ ? $1 : 0;
}


worker_connections(512);
no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: full=drop: all are answered, some events are gaps, and counted
--- kafka_init: down all
--- journal chomp
size=1m segment=64k
--- scene eval
sub {
    my $n = 0;

    while ($n < 3000 && !main::metric('gw_usage_dropped_total')) {
        for (1 .. 50) {
            $n++;
            Test::More::like(main::get("/t.txt?n=drop$n"), qr/hello/,
                             "answer $n");
        }
    }

    my $dropped = main::wait_metric('gw_usage_dropped_total', 1);

    GwUsage::kafka_commands('up all');

    # until one is accepted again, and is the last one

    my ($last, $end) = (0, time() + 120);

    while ($last != $n && time() < $end) {
        main::get('/t.txt?n=drop' . ++$n);
        sleep 0.1;

        my ($events) = main::events();
        $last = $n if $events->{"drop$n"};
    }

    my ($events, $marks) = main::events("drop$n");
    my @numbers = sort { $a <=> $b } map { main::sequence($_) }
                  grep { $_->{data}{api} =~ /^drop/ } values %$events;

    $dropped = main::wait_metric('gw_usage_dropped_total', $n - @numbers);

    Test::More::cmp_ok($dropped, '>', 0, 'some were dropped');
    Test::More::is(@numbers + $dropped, $n, 'all others have arrived');
    Test::More::is($numbers[-1], $n, 'dropped ones used up a sequence');
}
--- error_log eval
qr/\[crit\] .* gw journal: "\S+" is full, or can't be written: 1 events dropped, in all 1 by this worker/



=== TEST 2: full=reject: requests are refused, all others have an event
--- kafka_init: down all
--- journal chomp
size=1m segment=64k full=reject
--- scene eval
sub {
    my ($n, $refused, @accepted) = (0, '');

    while ($n < 3000 && !$refused) {
        my $answer = main::get('/t.txt?n=reject' . ++$n);

        if ($answer =~ /hello/) {
            push @accepted, "reject$n";

        } else {
            $refused = $answer;
        }
    }

    Test::More::like($refused, qr{^HTTP/1.1 503 }, 'refused');
    Test::More::like($refused, qr/^Retry-After: 5\r$/m, 'when to retry');
    Test::More::like($refused, qr{^Content-Type: application/problem\+json\r$}m,
                     'a problem');
    Test::More::like($refused, qr/"detail":"Usage can't be recorded"/, 'why');

    Test::More::cmp_ok(
        main::wait_metric('gw_usage_rejected_total', 1), '>', 0, 'counted');

    GwUsage::kafka_commands('up all');

    my $end = time() + 120;

    while (time() < $end) {
        $n++;

        if (main::get("/t.txt?n=reject$n") =~ /hello/) {
            push @accepted, "reject$n";
            last;
        }

        sleep 0.05;
    }

    my ($events) = main::events(@accepted);

    Test::More::is(
        CORE::join(' ', map { main::sequence($events->{$_}) } @accepted),
        CORE::join(' ', 1 .. @accepted), 'no gap');
    Test::More::is(scalar(grep { /^reject/ } keys %$events), @accepted,
                   'no event of those that were refused');
    Test::More::is(main::metric('gw_usage_dropped_total'), 0, 'none dropped');
}
--- log_lines
1 \[error\] .* gw usage: requests refused: 1, the journal is full



=== TEST 3: full=reject, and a page for it
--- kafka_init: down all
--- journal chomp
size=1m segment=64k full=reject
--- config
    error_page  503 /page;
    location = /page {
        gw_usage      on;
        gw_usage_api  page;
    }
--- scene eval
sub {
    my ($n, $refused) = (0, '');

    while ($n < 3000 && !$refused) {
        my $answer = main::get('/t.txt?n=page' . ++$n);

        $refused = $answer if $answer !~ /hello/;
    }

    Test::More::like($refused, qr{^HTTP/1.1 503 .*^Retry-After: 5\r$}ms,
                     'refused');
    Test::More::like($refused, qr/\r\n\r\nsorry$/, 'the page');

    GwUsage::kafka_commands('up all');

    my ($events) = main::events('page' . ($n - 1));
    Test::More::ok(!$events->{page}, 'no event of the page');
}



=== TEST 4: no event needed: not refused
--- kafka_init: down all
--- journal chomp
size=1m segment=64k full=reject
--- scene eval
sub {
    my ($n, $refused) = (0, '');

    while ($n < 3000 && !$refused) {
        my $answer = main::get('/t.txt?n=other' . ++$n);

        $refused = $answer if $answer !~ /hello/;
    }

    Test::More::like($refused, qr/ 503 /, 'refused');
    Test::More::like(main::get('/none'), qr/ 200 /, 'not metered');
    GwUsage::kafka_commands('up all');
}



=== TEST 5: full=reject: many requests at once, with a field that may be long
what is reserved for their events is in one segment; were it for the longest
values of the field, not even eight would do
--- kafka_init: up all
--- journal chomp
size=1g segment=128k full=reject
--- scene eval
sub {
    my @held = map { main::hold('/slow') } 1 .. 145;

    Test::More::is(main::wait_metric('gw_usage_requests', 145), 145,
                   'all are admitted');
    Test::More::is(main::metric('gw_usage_rejected_total'), 0, 'none refused');

    Test::More::is(scalar(grep { main::finish($_) !~ / 502 / } @held), 0,
                   'all go on');
}



=== TEST 6: full=reject, and full: an event without its fields is better than none
--- kafka_init: down all
--- journal chomp
size=1m segment=64k full=reject
--- config
    location = /long {
        gw_usage        on;
        gw_usage_api    long;
        gw_usage_field  a $http_x_padding;
        gw_usage_field  b $http_x_padding;
        gw_usage_field  c $http_x_padding;
        gw_usage_field  d $http_x_padding;
        lingering_close off;
        proxy_pass      http://127.0.0.1:1;
    }
--- scene eval
sub {
    my $held = main::hold('/long');

    main::wait_metric('gw_usage_requests', 1);

    # until nothing is free, and no segment can be made

    my ($n, $end, $failures, $answer) = (0, time() + 120, 0, '');

    until ($failures && $answer =~ / 503 /) {
        die "not full\n" if time() > $end;

        $failures = main::metric('gw_usage_file_failures_total');
        $answer = main::get('/t.txt?n=fill' . ++$n);
    }

    Test::More::like(main::finish($held), qr/ 502 /, 'it goes on');

    GwUsage::kafka_commands('up all');

    my ($events) = main::events('long');
    my $data = $events->{long}{data};

    Test::More::is($data->{units}, 1, 'its event');
    Test::More::is(CORE::join(' ', map { $_ // 'null' } @$data{qw(a b c d)}),
                   'null null null null', 'its fields');
    Test::More::is(main::metric('gw_usage_dropped_total'), 0, 'none dropped');
}
