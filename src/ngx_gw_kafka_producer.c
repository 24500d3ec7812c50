
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_producer.h"

#include <signal.h>
#include <sys/prctl.h>

#include <librdkafka/rdkafka.h>


#define NGX_GW_KAFKA_SLACK  1000000    /* ns */


static rd_kafka_t *ngx_gw_kafka_producer_new(rd_kafka_conf_t *conf, char *why,
    size_t size);
static void *ngx_gw_kafka_producer_thread(void *data);


ngx_int_t
ngx_gw_kafka_producer_create(ngx_gw_kafka_producer_t *p,
    const ngx_gw_kafka_conf_t *kcf, rd_kafka_conf_t *conf, int fd, char *why,
    size_t size)
{
    static const uint64_t  one = 1;

    ngx_memzero(p, sizeof(ngx_gw_kafka_producer_t));

    if (rd_kafka_conf_set(conf, "bootstrap.servers", kcf->brokers, why, size)
        == RD_KAFKA_CONF_OK)
    {
        p->rk = ngx_gw_kafka_producer_new(conf, why, size);
    }

    if (p->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return NGX_ERROR;
    }

    p->topic = rd_kafka_topic_new(p->rk, kcf->topic, NULL);

    if (p->topic == NULL) {
        ngx_cpystrn((u_char *) why,
                    (u_char *) rd_kafka_err2str(rd_kafka_last_error()), size);

        /* without brokers there is nothing to wait for */

        rd_kafka_destroy(p->rk);
        p->rk = NULL;

        return NGX_ERROR;
    }

    /* its threads must not write to our log */

    (void) rd_kafka_set_log_queue(p->rk, NULL);

    p->queue = rd_kafka_queue_get_main(p->rk);

    if (fd != -1) {
        rd_kafka_queue_io_event_enable(p->queue, fd, &one, sizeof(one));
    }

    return NGX_OK;
}


/*
 * Its threads round times to wait down to milliseconds, and look at the clock
 * again and again for the rest.  With some slack, which they inherit, they are
 * woken when it is over.
 */

static rd_kafka_t *
ngx_gw_kafka_producer_new(rd_kafka_conf_t *conf, char *why, size_t size)
{
    int          slack;
    rd_kafka_t  *rk;

    slack = prctl(PR_GET_TIMERSLACK);
    (void) prctl(PR_SET_TIMERSLACK, NGX_GW_KAFKA_SLACK);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, size);

    if (slack > 0) {
        (void) prctl(PR_SET_TIMERSLACK, slack);
    }

    return rk;
}


void
ngx_gw_kafka_producer_destroy(ngx_gw_kafka_producer_t *p, ngx_log_t *log)
{
    ngx_err_t                 err;
    sigset_t                  all, set;
    ngx_gw_kafka_producer_t  *copy;

    if (p->rk == NULL) {
        return;
    }

    rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(p->queue);

    /* on failure the producer stays, with its threads, but nobody knows it */

    copy = ngx_alloc(sizeof(ngx_gw_kafka_producer_t), log);

    if (copy == NULL) {
        ngx_memzero(p, sizeof(ngx_gw_kafka_producer_t));
        return;
    }

    *copy = *p;

    ngx_memzero(p, sizeof(ngx_gw_kafka_producer_t));

    /* signals are for the thread of the event loop */

    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &set);

    err = pthread_create(&p->thread, NULL, ngx_gw_kafka_producer_thread, copy);

    (void) pthread_sigmask(SIG_SETMASK, &set, NULL);

    if (err) {
        ngx_log_error(NGX_LOG_CRIT, log, err,
                      "gw kafka: pthread_create() failed");
        ngx_free(copy);
        return;
    }

    p->going = 1;
}


static void *
ngx_gw_kafka_producer_thread(void *data)
{
    ngx_gw_kafka_producer_t  *p = data;

    rd_kafka_topic_destroy(p->topic);
    rd_kafka_destroy(p->rk);

    ngx_free(p);

    return NULL;
}


/* joined, for until its very end a thread uses what the exit takes away */

ngx_int_t
ngx_gw_kafka_producer_gone(ngx_gw_kafka_producer_t *p, ngx_msec_int_t timeout)
{
    struct timespec  ts;

    if (!p->going) {
        return NGX_OK;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (timeout > 0) {
        ts.tv_sec += timeout / 1000;
        ts.tv_nsec += timeout % 1000 * 1000000;

        if (ts.tv_nsec >= 1000000000) {
            ts.tv_nsec -= 1000000000;
            ts.tv_sec++;
        }
    }

    if (pthread_timedjoin_np(p->thread, NULL, &ts) != 0) {
        return NGX_AGAIN;
    }

    p->going = 0;

    return NGX_OK;
}
