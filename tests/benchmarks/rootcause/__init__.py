"""`make bench-rootcause`: are the causes of real incidents found, and is nothing said where nothing happened?

One loader per data set turns it into labelled cases of the product's own format; all rankers see the same cases.
"""
