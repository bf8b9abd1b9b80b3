// What the demo probes.
#ifndef PRICE_H
#define PRICE_H

long tax(long net);
long gross(long net);

#endif
