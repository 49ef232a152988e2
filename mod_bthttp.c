#include <httpd.h>
#include <http_config.h>

/* The front door: see module/. */
module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) bthttp_module;
module AP_MODULE_DECLARE_DATA bthttp_module = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL,
                                               AP_MODULE_FLAG_NONE};
